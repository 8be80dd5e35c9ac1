export { type AuthorityRequest, createAuthority } from './create-authority.ts';
export { createRevocationList, type RevocationListRequest } from './create-revocation-list.ts';
export { delegateSan } from './delegate-name.ts';
export { IssuanceError, type IssuanceProblem } from './issuance-error.ts';
export type { IssuedCertificate, IssuedPair } from './issue.ts';
export {
  type ClientCertificateRequest,
  DEFAULT_CLIENT_DAYS,
  issueClientCertificate,
} from './issue-client-certificate.ts';
export { issueServerCertificate, type ServerCertificateRequest } from './issue-server-certificate.ts';
export type { IssuingAuthority } from './issuing-authority.ts';
export type { SubjectInput } from './name-writer.ts';
export { describeSigningRequest, type SigningRequestFacts } from './read-signing-request.ts';
export { type Renewal, type RenewedCertificate, renew } from './renew.ts';
export type { KeyAlgorithm } from './signing.ts';
export {
  createSigningRequest,
  type RequestSigning,
  type SignedRequest,
  type SigningRequest,
  type SigningRequestWish,
  signRequest,
} from './signing-request.ts';
