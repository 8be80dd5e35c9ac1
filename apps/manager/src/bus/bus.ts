import type { Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';

/** What one part of the manager, or one replica, tells the others. Ids only: whoever hears it reads the truth itself. */
export type BusEvent =
  /** An endpoint of the account was created, changed or deleted, or the account itself was deleted. */
  | { readonly type: 'trust-changed'; readonly accountId: string }
  /** A delegate token of the account was created, revoked or deleted. */
  | { readonly type: 'tokens-changed'; readonly accountId: string }
  | { readonly type: 'task-queued'; readonly accountId: string; readonly taskId: string }
  | { readonly type: 'task-aborted'; readonly accountId: string; readonly taskId: string }
  | { readonly type: 'task-finished'; readonly accountId: string; readonly taskId: string }
  /** Log streams with new lines: each with its next sequence number, or 0 when it has ended. */
  | { readonly type: 'logs-written'; readonly streams: readonly (readonly [id: string, next: number])[] }
  /** Events of other replicas may have been missed: whoever holds derived state drops it and re-reads. Never sent. */
  | { readonly type: 'resync' };

export type BusEventType = BusEvent['type'];
export type BusHandler<T extends BusEventType> = (event: Extract<BusEvent, { type: T }>) => void | Promise<void>;

/**
 * Events inside one process and between replicas.
 *
 * A change and its announcement are one transaction: a replica that dies right after the commit has still told the
 * others, so nobody judges by a trust that is gone.
 */
export interface Bus {
  /**
   * Runs `work` in a database transaction that also carries the announcement of `event`. When the returned promise
   * resolves, the transaction is committed and every local handler of the event has finished; other replicas hear of
   * it within milliseconds. Rejects with what `work` threw, then nothing was written or announced.
   */
  commit<R>(event: BusEvent, work: (transaction: Transaction<Schema>) => Promise<R>): Promise<R>;

  /** Handlers run in the order of subscription; one that throws is logged and does not stop the others. */
  subscribe<T extends BusEventType>(type: T, handler: BusHandler<T>): () => void;

  /**
   * False while events of other replicas may be missed (the listening connection is down). Whoever derives decisions
   * from events reads the database for each decision until it is true again.
   */
  readonly inStep: boolean;

  close(): Promise<void>;
}
