// Rows of what an account keeps its CAs' clients out by.

type Millis = number;
type Json = string;

export interface CrlRow {
  account_id: string;
  /** SHA-256 over the public key that signed the list, lower-case hex. */
  issuer_key: string;
  issuer: string;
  issuer_key_id: string | null;
  /** Fingerprint of the CA certificate that the signature was verified with. */
  authority: string;
  /** cRLNumber in decimal. */
  number: string | null;
  this_update: Millis;
  next_update: Millis;
  entries: number;
  names_distribution_point: 0 | 1;
  /** SHA-256 over the list as it was uploaded, lower-case hex. */
  digest: string;
  /** Of the revoked serial numbers, which lie in `crl_parts`. */
  serials_bytes: number;
  uploaded_at: Millis;
  uploaded_by: string;
  /** When its age is to be told of next; null: nothing more to tell. */
  next_notice_at: Millis | null;
}

/** A piece of a list's revoked serial numbers, as `RevokedSerials` encodes them. */
export interface CrlPartRow {
  account_id: string;
  digest: string;
  part: number;
  written_at: Millis;
  bytes: Uint8Array;
}

export interface CrlPolicyRow {
  account_id: string;
  when_expired: 'REFUSE' | 'USE_STALE';
  stale_hours: number;
}

export interface DeniedCertificateRow {
  id: string;
  account_id: string;
  /** SHA-256 of the certificate; null when it is named by issuer and serial number. */
  fingerprint: string | null;
  issuer: string | null;
  serial_number: string | null;
  note: string;
  created_at: Millis;
  created_by: string;
}

export interface AllowedIdentitiesRow {
  account_id: string;
  /** Array of `{ type, value }`. */
  identities: Json;
  updated_at: Millis;
  updated_by: string;
}

export interface DelegatePinRow {
  account_id: string;
  delegate_name: string;
  /** Array of SHA-256 fingerprints, lower-case hex. */
  fingerprints: Json;
  created_at: Millis;
  created_by: string;
}
