/** Bytes of a CRL upload: some 200,000 entries as PEM, 230,000 as DER. */
export const LARGEST_CRL_UPLOAD = 8 * 1024 * 1024;
/** A list that has expired is used for at most 30 days more. */
export const MOST_STALE_HOURS = 720;
