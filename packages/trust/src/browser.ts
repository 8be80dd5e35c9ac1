// What runs in a page: judging by value, reading, and making certificates whose keys never leave it. Nothing of node:.
export type { CaAuthority } from './ca-authority.ts';
export { previewCaBundle } from './ca-bundle-preview.ts';
export {
  type CaBundle,
  CaBundleError,
  type CaBundleProblem,
  type CaBundleWarning,
  type CaBundleWarningCode,
  LARGEST_BUNDLE_BYTES,
  MOST_BUNDLE_CERTIFICATES,
} from './ca-bundle-rules.ts';
export * from './certificate-facts.ts';
export { ChainError, type OrderedChain, orderChain } from './chain.ts';
export * from './connection-verdict.ts';
export * from './decision-table.ts';
export { DerError } from './der.ts';
export { describeDer } from './describe-der.ts';
export { escapeValue, type NameAttribute } from './distinguished-name.ts';
export type { SubjectAlternativeName } from './general-name.ts';
export { certificatesOfPkcs7, type DerKind, identifyDer } from './identify-der.ts';
export * from './issuance/index.ts';
export { extensionName, purposeName } from './oid-names.ts';
export { type PemBlock, PemError, readPemBlocks, writePemBlock } from './pem.ts';
export * from './reasons.ts';
export { findWeaknesses, type Weakness, type WeaknessCode } from './weaknesses.ts';
export { wordDuration } from './wording.ts';
