export type { CertificateConcern, CertificateInspector, CertificateReport } from './certificate-inspector.ts';
export { check, type Finding, type Fixed, fix } from './check/check.ts';
export type { CheckContext } from './check/examination.ts';
export { type SarifLog, type SarifResult, type SarifRule, type SarifRun, toSarif } from './check/sarif.ts';
export { uncheckedConcern } from './credentials.ts';
export { unifiedDiff } from './diff/unified-diff.ts';
export { type Endpoint, endpointFault, parseEndpoint } from './endpoint.ts';
export { type FindingCode, findings, type Severity } from './finding.ts';
export { detectForm, type ManifestForm, manifestForms } from './form.ts';
export { type Generated, type GeneratedFile, generate } from './generate/generate.ts';
export type { ClientCertificate, GenerateOptions, ProxyOptions, UpgraderOptions } from './generate/generate-options.ts';
export { type DelegateSize, type Resources, sizes } from './generate/sizes.ts';
export { ManifestError, type ManifestErrorCode } from './manifest-error.ts';
export { migrate } from './migrate.ts';
export type { Change, CompanionFile, MigrateOptions, Migration, RepairedMistake, Warning } from './migration.ts';
export {
  certificatesIn,
  type DelegateDescription,
  type EmbeddedCertificate,
  type Manifest,
  readManifest,
} from './read-manifest.ts';
