import type { PartEdit, TextPart } from './edit/text-part.ts';

export type Severity = 'error' | 'warning' | 'note';

/**
 * Everything that can be wrong with a delegate's manifest. `mistake`: somebody wrote something that does not do what
 * it should. `step`: a part of the way to mTLS that has not been taken; counts only once the way has been begun.
 * `advice`: works, and is worth knowing.
 */
export const findings = {
  CERTIFICATE_CONCERN: { kind: 'advice', severity: 'warning', title: 'A client certificate is weak or ends soon' },
  CERTIFICATE_IN_CONFIG_MAP: { kind: 'mistake', severity: 'error', title: 'A private key stands in a ConfigMap' },
  CERTIFICATE_ITEMS_WRONG: {
    kind: 'mistake',
    severity: 'error',
    title: 'The volume does not project client.crt and client.key',
  },
  CERTIFICATE_PATH_WRONG: {
    kind: 'mistake',
    severity: 'error',
    title: 'A certificate path does not point into /etc/mtls',
  },
  CERTIFICATE_PATH_MISSING: { kind: 'step', severity: 'error', title: 'A certificate path variable is missing' },
  CERTIFICATE_MODE_UNREADABLE: {
    kind: 'advice',
    severity: 'error',
    title: 'The container cannot read its certificate',
  },
  CERTIFICATE_PLACEHOLDER: {
    kind: 'mistake',
    severity: 'error',
    title: 'A placeholder stands where a certificate or key should',
  },
  CERTIFICATE_READER_UNKNOWN: {
    kind: 'advice',
    severity: 'note',
    title: 'Who reads the certificate is for the image to say',
  },
  CERTIFICATE_REFUSED: {
    kind: 'mistake',
    severity: 'error',
    title: 'The endpoint would refuse the client certificate',
  },
  CERTIFICATE_SECRET_MISSING: { kind: 'step', severity: 'warning', title: 'The certificate Secret is not in the file' },
  CERTIFICATE_UNCHECKED: {
    kind: 'advice',
    severity: 'warning',
    title: 'A client certificate was not checked against any CA',
  },
  CERTIFICATE_UNREADABLE: { kind: 'mistake', severity: 'error', title: 'A Secret holds no readable certificate' },
  DEFAULT_MODE_DECIMAL: { kind: 'mistake', severity: 'warning', title: 'A file mode is octal digits read as decimal' },
  DEFAULT_MODE_MISSING: { kind: 'step', severity: 'warning', title: 'The private key is readable for everybody' },
  DEFAULT_MODE_OPEN: { kind: 'mistake', severity: 'warning', title: 'The private key is readable for everybody' },
  DUPLICATE_KEY: { kind: 'mistake', severity: 'error', title: 'A key stands twice in one map' },
  DUPLICATE_MOUNT: { kind: 'mistake', severity: 'error', title: '/etc/mtls is mounted twice' },
  DUPLICATE_VOLUME: { kind: 'mistake', severity: 'error', title: 'Two volumes have one name' },
  DUPLICATE_VARIABLE: { kind: 'mistake', severity: 'warning', title: 'An environment variable is set twice' },
  ENDPOINT_INVALID: { kind: 'mistake', severity: 'error', title: 'The manager endpoint is not an mTLS endpoint' },
  EXTERNAL_VALUE: { kind: 'advice', severity: 'warning', title: 'A value comes from outside the file' },
  GRPC_AUTHORITY_MISSING: {
    kind: 'step',
    severity: 'warning',
    title: 'GRPC_AUTHORITY_MODIFICATION_DISABLED is not "true"',
  },
  HELM_KEY_MISSPELT: {
    kind: 'mistake',
    severity: 'error',
    title: 'A Helm value has a name that the chart does not know',
  },
  HELM_SECRET_MISSING: { kind: 'step', severity: 'error', title: 'The Helm values name no certificate Secret' },
  HELM_RENDERED: { kind: 'advice', severity: 'note', title: 'The file was rendered by Helm' },
  HPA_TARGET_MISSING: {
    kind: 'advice',
    severity: 'warning',
    title: 'A HorizontalPodAutoscaler targets a workload that is not there',
  },
  IMAGE_NOT_IMMUTABLE: { kind: 'mistake', severity: 'error', title: 'The delegate image cannot use mTLS' },
  KEY_FORM: { kind: 'advice', severity: 'warning', title: 'The Java delegate cannot read this form of private key' },
  KEY_MISMATCH: { kind: 'mistake', severity: 'error', title: 'The private key does not belong to the certificate' },
  LOG_SERVICE_BYPASSES_MTLS: { kind: 'step', severity: 'error', title: 'Logs do not go through the mTLS endpoint' },
  MANAGER_OLD: { kind: 'step', severity: 'error', title: 'The delegate does not connect through the mTLS endpoint' },
  MANAGER_RENAMED: { kind: 'mistake', severity: 'error', title: 'An environment variable is named like a URL' },
  MISPLACED_LIST: {
    kind: 'mistake',
    severity: 'error',
    title: 'volumes or volumeMounts stand where Kubernetes does not read them',
  },
  MOUNT_CONFLICT: { kind: 'mistake', severity: 'error', title: 'Something else is mounted at /etc/mtls' },
  MANAGER_UNCHECKED: { kind: 'advice', severity: 'note', title: 'A value that is set elsewhere was not checked' },
  MOUNT_MISSING: { kind: 'step', severity: 'error', title: 'The certificate is not mounted at /etc/mtls' },
  MOUNT_NOT_READ_ONLY: { kind: 'step', severity: 'note', title: 'The certificate mount is not read-only' },
  MOUNT_UNKNOWN_FIELD: { kind: 'mistake', severity: 'error', title: 'A volume mount has a field that does not exist' },
  MOUNT_WITHOUT_VOLUME: {
    kind: 'mistake',
    severity: 'error',
    title: 'A volume mount names a volume that is not there',
  },
  NO_DELEGATE: { kind: 'advice', severity: 'warning', title: 'No delegate was found' },
  PLAIN_ENDPOINT_STRICT: {
    kind: 'mistake',
    severity: 'error',
    title: 'A delegate without mTLS in an account that is STRICT',
  },
  SECRET_HOLDS_TOKEN_TOO: { kind: 'mistake', severity: 'error', title: 'The certificate stands in the token’s Secret' },
  SECRET_NAME_MISMATCH: {
    kind: 'mistake',
    severity: 'error',
    title: 'A volume names another Secret than the certificate’s',
  },
  SECRET_NOT_BASE64: { kind: 'mistake', severity: 'error', title: 'A Secret’s data is not base64' },
  SECRET_ORDER: { kind: 'advice', severity: 'note', title: 'The certificate Secret stands behind the Deployment' },
  SECRET_OTHER_NAMESPACE: {
    kind: 'mistake',
    severity: 'error',
    title: 'The certificate Secret is in another namespace',
  },
  SECRET_OUTDATED: { kind: 'step', severity: 'warning', title: 'The Secret holds another certificate' },
  SECRET_SHARES_TOKEN_NAME: {
    kind: 'mistake',
    severity: 'error',
    title: 'The certificate Secret has the token Secret’s name',
  },
  SECRET_WOULD_BE_REPLACED: {
    kind: 'mistake',
    severity: 'error',
    title: 'A placeholder Secret would replace the real one',
  },
  SELECTOR_SHARED: { kind: 'advice', severity: 'warning', title: 'Two delegates may select each other’s pods' },
  SUBPATH_MOUNT: { kind: 'mistake', severity: 'error', title: 'A subPath mount never sees a renewed certificate' },
  TI_SERVICE_BYPASSES_MTLS: {
    kind: 'step',
    severity: 'error',
    title: 'Test intelligence does not go through the mTLS endpoint',
  },
  TRUST_ALL_CERTIFICATES: { kind: 'mistake', severity: 'error', title: 'The delegate trusts any server' },
  UPGRADER_CERTIFICATE_MISSING: { kind: 'step', severity: 'error', title: 'The upgrader has no client certificate' },
  UPGRADER_KEY_MISPLACED: {
    kind: 'mistake',
    severity: 'error',
    title: 'A certificate path of the upgrader is not at the top level',
  },
  UPGRADER_OLD_HOST: {
    kind: 'step',
    severity: 'error',
    title: 'The upgrader does not connect through the mTLS endpoint',
  },
  UPGRADER_WITHOUT_MTLS: {
    kind: 'advice',
    severity: 'warning',
    title: 'This generation of the upgrader has no client certificate',
  },
  UPGRADER_WORKLOAD_UNKNOWN: {
    kind: 'advice',
    severity: 'warning',
    title: 'The upgrader names a workload that is not in the file',
  },
  VARIABLE_NOT_STRING: { kind: 'mistake', severity: 'error', title: 'An environment variable is not a string' },
  VOLUME_NAME_MISMATCH: { kind: 'mistake', severity: 'error', title: 'Volume and mount have different names' },
  YAML_INVALID: { kind: 'mistake', severity: 'error', title: 'The YAML cannot be parsed' },
} as const satisfies Record<string, { kind: 'mistake' | 'step' | 'advice'; severity: Severity; title: string }>;

export type FindingCode = keyof typeof findings;

export interface Repair {
  /** What the repair does, in the past tense: it becomes a line of the report. */
  readonly what: string;
  readonly edits: readonly PartEdit[];
  /** It moves text that other repairs refer to: nothing else may be applied with it. */
  readonly alone?: boolean;
}

/** A place in the text as it stands. */
export interface Place {
  readonly part: TextPart;
  readonly offset: number;
}

/** Something found in a manifest, at its place, with its repair if there is one. */
export interface Problem {
  readonly code: FindingCode;
  readonly at: Place;
  readonly message: string;
  readonly remedy: string;
  readonly severity?: Severity;
  /** Worked out only when wanted: against the text as it stands, to be applied before anything else changes it. */
  readonly repair?: () => Repair;
  /** The repair touches nothing but its own value, so that others like it can be made at the same time. */
  readonly independent?: boolean;
  /** False where a person should look first; `fix` leaves those alone, a migration does them. */
  readonly safe?: boolean;
}
