export * from './browser.ts';
export { readCaBundle } from './ca-bundle.ts';
export { describeCertificate } from './client-certificate.ts';
export type { Explanation } from './explain-rejection.ts';
export {
  createEndpointContext,
  type HandshakeResult,
  handshakeInProcess,
  MTLS_SERVER_OPTIONS,
} from './in-process-handshake.ts';
export { findAnchor, type IssuerPath, type PathCertificate, traceAuthority, traceIssuers } from './issuer-path.ts';
export { keepPeerCertificates, takePeerCertificates } from './peer-certificates.ts';
export { isPublicWebAuthority } from './public-web-authorities.ts';
export * from './revocation/index.ts';
export {
  type Verification,
  VerificationError,
  type VerificationProblem,
  type VerificationRequest,
  verifyClientCertificate,
} from './verify-by-handshake.ts';
