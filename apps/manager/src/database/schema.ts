// One type a table, so that the same queries serve both databases: times are epoch milliseconds, booleans 0 or 1,
// and JSON is text. Rows stay inside the stores; services never see them.

export interface Schema {
  accounts: AccountRow;
  api_keys: ApiKeyRow;
  mtls_endpoints: MtlsEndpointRow;
  delegate_tokens: DelegateTokenRow;
  delegates: DelegateRow;
  tasks: TaskRow;
  refusals: RefusalRow;
  replicas: ReplicaRow;
  audit_events: AuditEventRow;
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

export interface RefusalRow {
  id: string;
  account_id: string | null;
  at: Millis;
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
