/** What a client shows: a chain, leaf first, and the key of the leaf. */
export interface Certificate {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}
