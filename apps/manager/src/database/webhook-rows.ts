// Rows of webhooks, of what they tell of, and of the client certificates that the manager has seen.

type Millis = number;
type Json = string;

export interface WebhookRow {
  id: string;
  account_id: string;
  url: string;
  /** Array of event types; null for every type, those of later versions too. */
  events: Json | null;
  /** The signing secret, sealed by `tokens/secret-box.ts`. */
  secret_ciphertext: string;
  created_at: Millis;
  created_by: string;
  last_success_at: Millis | null;
  last_failure_at: Millis | null;
  last_failure: string | null;
  /** The first failure since the last success. */
  failing_since: Millis | null;
  /** How long the last answer took: slow receivers share a part of the senders only. */
  last_duration_ms: number;
  off_at: Millis | null;
  off_reason: string | null;
  /** Events that were not queued, because too many were waiting. */
  dropped: number;
}

export interface WebhookDeliveryRow {
  /** The same at every attempt. */
  id: string;
  webhook_id: string;
  account_id: string;
  event_type: string;
  body: Json;
  state: 'WAITING' | 'DELIVERED' | 'FAILED';
  /** Those that have begun. */
  attempts: number;
  /** While an attempt is under way: when it counts as lost. Null when there will be none. */
  next_attempt_at: Millis | null;
  /** The replica that makes an attempt right now. */
  claimed_by: string | null;
  created_at: Millis;
  last_attempt_at: Millis | null;
  finished_at: Millis | null;
  status: number | null;
  error: string | null;
}

/** When an account was last told of something that is told of in bundles. */
export interface WebhookTurnRow {
  account_id: string;
  event_type: string;
  at: Millis;
}

/** A new group of refusals that the account's webhooks have yet to tell of. */
export interface RefusalNewsRow {
  account_id: string;
  refusal_id: string;
}

/** A delegate that came without mTLS although one of its name had been on it. */
export interface DowngradeRow {
  account_id: string;
  delegate_name: string;
  at: Millis;
  told_at: Millis | null;
}

/** A client certificate that a registered delegate came with. */
export interface ClientCertificateRow {
  account_id: string;
  fingerprint: string;
  /** PresentedCertificate. */
  facts: Json;
  not_after: Millis;
  /** Fingerprint of the CA that its chain ended at. */
  anchor: string | null;
  first_seen: Millis;
  last_seen: Millis;
  /** When its end is to be told of next; null: nothing more to tell. */
  next_notice_at: Millis | null;
}
