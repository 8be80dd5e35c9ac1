/**
 * What somebody who can read certificates says about a client certificate and its key. This package never reads them
 * itself: the caller passes an inspector in, and without one nothing is claimed about a certificate.
 */
export interface CertificateReport {
  /** Why the text is not a certificate (or the key not a key) at all. */
  readonly unreadable?: string;
  /** Whether the private key belongs to the certificate; undefined when no key was given or it was not compared. */
  readonly keyMatches?: boolean;
  /** Why the endpoint's CA bundle would refuse the certificate; undefined when it would not, or when the bundle is not known. */
  readonly refusal?: string;
  /** True when no CA bundle was there to ask, so that nobody knows whether the endpoint would take it. */
  readonly unchecked?: boolean;
  /** What does not keep the certificate from working today, and is worth saying: weak, version 1, expires soon. */
  readonly concerns?: readonly CertificateConcern[];
}

export interface CertificateConcern {
  readonly severity: 'error' | 'warning' | 'note';
  /** A sentence each: what is wrong, and what to do. */
  readonly message: string;
  readonly remedy: string;
}

/** Synchronous: a caller whose crypto is not prepares the reports first, from `certificatesIn(text)`. */
export interface CertificateInspector {
  inspect(pair: { readonly certificate: string; readonly key: string | undefined }): CertificateReport;
}
