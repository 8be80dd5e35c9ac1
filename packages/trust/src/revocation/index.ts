export {
  ADMIT_ALL,
  type ClientPolicy,
  type DeniedCertificate,
  DeniedCertificates,
  type ExpiredListRule,
  looseName,
} from './client-policy.ts';
export {
  type IdentityPin,
  IdentityPinError,
  MOST_PINS,
  PIN_TYPES,
  type PinType,
  pinKey,
  readIdentityPin,
} from './identity-pins.ts';
export {
  judgePolicy,
  judgeRevocation,
  nextDeadline,
  type PolicySubject,
  policySubject,
  usableUntil,
} from './judge-policy.ts';
export { publicKeyHash } from './public-key-hash.ts';
export { readRevocationList } from './read-revocation-list.ts';
export { isOlder, type RevocationList, shareOfLife, type UnverifiedRevocationList } from './revocation-list.ts';
export { RevocationListError, type RevocationListProblem } from './revocation-list-error.ts';
export { verifyRevocationList } from './revocation-list-signature.ts';
export { RevokedSerials } from './revoked-serials.ts';
export { MOST_LISTS, splitRevocationLists } from './split-revocation-lists.ts';
