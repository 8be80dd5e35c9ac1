import { ADMIT_ALL, type ClientPolicy } from '@sallyport/trust';

/** What keeps clients of an account out although their certificates verify. */
export interface AccountPolicy {
  /** Judged for a connection. */
  readonly clients: ClientPolicy;
  /** By delegate name, the fingerprints of the certificates that it may come with. Judged for a request. */
  readonly pins: ReadonlyMap<string, ReadonlySet<string>>;
  /** Bytes that its lists take in memory. */
  readonly weight: number;
}

/** Of an account that has asked for nothing. */
export const NO_POLICY: AccountPolicy = { clients: ADMIT_ALL, pins: new Map(), weight: 0 };
