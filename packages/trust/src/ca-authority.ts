import type { CertificateFacts } from './certificate-facts.ts';

/** One CA that an endpoint trusts: what its certificate says, and that one certificate as PEM. */
export interface CaAuthority extends CertificateFacts {
  readonly pem: string;
}
