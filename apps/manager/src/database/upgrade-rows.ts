// Rows of what delegates and upgraders are kept current with.

type Millis = number;
type Flag = 0 | 1;

/** An image that was published to a ring; the latest of its ring and component is what the ring gives out. */
export interface UpgradeReleaseRow {
  id: string;
  component: 'DELEGATE' | 'UPGRADER';
  ring: 'canary' | 'stable';
  image: string;
  allow_older: Flag;
  /** Grows by one with every publication of its ring and component. */
  sequence: number;
  status: 'ACTIVE' | 'HALTED';
  published_at: Millis;
  published_by: string;
  halted_at: Millis | null;
  halted_reason: string | null;
  /** `system` when it stopped by itself; else the key of the operator. Null also for halts of before that was kept. */
  halted_by: string | null;
  /** What was decided before counts no more: somebody looked at it and resumed. */
  judged_from: Millis;
}

/** Accounts that are not in the ring of everybody. */
export interface UpgradeAccountRingRow {
  account_id: string;
  ring: 'canary' | 'stable';
}

export interface UpgradeOverrideRow {
  account_id: string;
  /** A tag, or a whole image reference. */
  version: string;
  allow_older: Flag;
  valid_until: Millis | null;
  /** Ends with the next publication to the account's ring: the sequence number that was there when it was made. */
  until_after_sequence: number | null;
  created_at: Millis;
  created_by: string;
}

/** The last call of an upgrader, by the delegate that it keeps current. */
export interface UpgradeCheckRow {
  account_id: string;
  component: 'DELEGATE' | 'UPGRADER';
  /** Empty for an upgrader that does not say which. */
  delegate_name: string;
  /** Of the image that it has now. */
  tag: string;
  at: Millis;
  /** Whether it has what it should. */
  is_current: Flag;
}

/** A delegate that was told to take a release. */
export interface UpgradeAttemptRow {
  release_id: string;
  account_id: string;
  delegate_name: string;
  from_image: string;
  to_image: string;
  offered_at: Millis;
  taken_at: Millis | null;
  outcome: 'WAITING' | 'HEALTHY' | 'UNHEALTHY' | 'NOT_BACK' | 'NOT_TAKEN';
  decided_at: Millis | null;
  /** When a decision is due. */
  judge_at: Millis;
}
