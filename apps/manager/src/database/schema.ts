// One type a table, so that the same queries serve both databases: times are epoch milliseconds, booleans 0 or 1,
// and JSON is text. Rows stay inside the stores; services never see them.

import type { LogBlobRow, LogChunkRow, LogStreamRow, LogWriterRow } from './log-rows.ts';
import type {
  AllowedIdentitiesRow,
  CrlPartRow,
  CrlPolicyRow,
  CrlRow,
  DelegatePinRow,
  DeniedCertificateRow,
} from './revocation-rows.ts';
import type {
  UpgradeAccountRingRow,
  UpgradeAttemptRow,
  UpgradeCheckRow,
  UpgradeOverrideRow,
  UpgradeReleaseRow,
} from './upgrade-rows.ts';
import type {
  ClientCertificateRow,
  DowngradeRow,
  RefusalNewsRow,
  WebhookDeliveryRow,
  WebhookRow,
  WebhookTurnRow,
} from './webhook-rows.ts';

export interface Schema {
  accounts: AccountRow;
  api_keys: ApiKeyRow;
  mtls_endpoints: MtlsEndpointRow;
  delegate_tokens: DelegateTokenRow;
  delegates: DelegateRow;
  tasks: TaskRow;
  task_secrets: TaskSecretRow;
  refusals: RefusalRow;
  replicas: ReplicaRow;
  audit_events: AuditEventRow;
  authority_uses: AuthorityUseRow;
  endpoint_reverts: EndpointRevertRow;
  webhooks: WebhookRow;
  webhook_deliveries: WebhookDeliveryRow;
  webhook_turns: WebhookTurnRow;
  refusal_news: RefusalNewsRow;
  downgrades: DowngradeRow;
  client_certificates: ClientCertificateRow;
  crls: CrlRow;
  crl_parts: CrlPartRow;
  crl_policies: CrlPolicyRow;
  denied_certificates: DeniedCertificateRow;
  allowed_identities: AllowedIdentitiesRow;
  delegate_pins: DelegatePinRow;
  upgrade_releases: UpgradeReleaseRow;
  upgrade_account_rings: UpgradeAccountRingRow;
  upgrade_overrides: UpgradeOverrideRow;
  upgrade_checks: UpgradeCheckRow;
  upgrade_attempts: UpgradeAttemptRow;
  log_streams: LogStreamRow;
  log_chunks: LogChunkRow;
  log_writers: LogWriterRow;
  log_blobs: LogBlobRow;
}

type Millis = number;
type Flag = 0 | 1;
type Json = string;

export interface AccountRow {
  id: string;
  name: string;
  mtls_enabled: Flag;
  created_at: Millis;
}

export interface ApiKeyRow {
  id: string;
  name: string;
  role: 'OPERATOR' | 'ACCOUNT_ADMIN' | 'ACCOUNT_VIEWER';
  /** Null for operator keys. */
  account_id: string | null;
  /** SHA-256 over the secret, lower-case hex. */
  secret_hash: string;
  created_at: Millis;
  expires_at: Millis | null;
  revoked_at: Millis | null;
  created_by: string;
}

export interface MtlsEndpointRow {
  uuid: string;
  account_id: string;
  fqdn: string;
  /** PEM text exactly as it was sent. */
  ca_certificates: string;
  mode: 'LOOSE' | 'STRICT';
  /** Grows by one with every change: what was derived from an older revision is stale. */
  revision: number;
  created_at: Millis;
  updated_at: Millis;
}

export interface DelegateTokenRow {
  id: string;
  account_id: string;
  name: string;
  /** `org` or `org/project`; empty for the account itself. */
  owner: string;
  /** The hex secret, sealed by `tokens/secret-box.ts`. */
  secret_ciphertext: string;
  status: 'ACTIVE' | 'REVOKED';
  created_at: Millis;
  /** Name of the API key; null for a default token. */
  created_by: string | null;
  /** From this moment the token counts as revoked, whatever `status` says. */
  revoke_after: Millis | null;
  revoked_at: Millis | null;
}

export interface DelegateRow {
  id: string;
  account_id: string;
  name: string;
  type: string;
  description: string;
  host_name: string;
  ip: string;
  version: string;
  tags: Json;
  supported_task_types: Json;
  transport: 'MTLS' | 'PLAIN' | null;
  certificate: Json | null;
  token_id: string | null;
  /** The replica that holds its connection: connected means that this replica's lease still runs. */
  replica_id: string | null;
  polling: Flag;
  registered_at: Millis;
  last_seen: Millis;
  disconnected_at: Millis | null;
  /** When it was last on mTLS (while it is: when it came that way), with which certificate, and the CA of its chain. */
  mtls_seen_at: Millis | null;
  mtls_certificate: Json | null;
  mtls_anchor: string | null;
  mtls_fingerprint: string | null;
}

export interface TaskRow {
  id: string;
  account_id: string;
  type: string;
  data: Json;
  selectors: Json;
  timeout_ms: number;
  status: 'QUEUED' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'ABORTED' | 'EXPIRED';
  delegate_id: string | null;
  created_at: Millis;
  expires_at: Millis;
  started_at: Millis | null;
  finished_at: Millis | null;
  result: Json | null;
  error: string | null;
}

export interface TaskSecretRow {
  task_id: string;
  /** All of the task's, as one JSON object, sealed by `tokens/secret-box.ts`. Gone when the task has ended. */
  sealed: string;
}

export interface RefusalRow {
  /** Of the group: one cause, one client. */
  id: string;
  account_id: string | null;
  first_seen: Millis;
  last_seen: Millis;
  count: number;
  reason: string;
  message: string;
  remedy: string;
  server_name: string | null;
  remote_address: string;
  certificate: Json | null;
}

export interface ReplicaRow {
  id: string;
  lease_until: Millis;
}

export interface AuditEventRow {
  id: string;
  /** Not a foreign key: what was done to an account outlives it. */
  account_id: string | null;
  at: Millis;
  actor: string;
  action: string;
  subject: string;
  details: Json;
}

/** Which delegate's verified chain ended at which CA, and when last. Outlives the instances of the delegate. */
export interface AuthorityUseRow {
  account_id: string;
  /** SHA-256 of the CA certificate, lower-case hex. */
  fingerprint: string;
  delegate_name: string;
  last_used: Millis;
}

/** A change of an endpoint that takes itself back at `revert_at` unless somebody confirms it: the state before it. */
export interface EndpointRevertRow {
  endpoint_uuid: string;
  account_id: string;
  revert_at: Millis;
  mode: 'LOOSE' | 'STRICT';
  ca_certificates: string;
  asked_by: string;
}
