export * from './anchor.ts';
export * from './ca-authority.ts';
export * from './ca-bundle.ts';
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
export * from './client-certificate.ts';
export * from './connection-verdict.ts';
export * from './decision-table.ts';
export * from './in-process-handshake.ts';
export * from './peer-certificates.ts';
export * from './reasons.ts';
