import { randomUUID } from 'node:crypto';
import { type CutOff, SallyportError } from '@sallyport/protocol';
import type { Kysely, Transaction } from 'kysely';
import type { Bus } from '../bus/bus.ts';
import type { Clock } from '../clock.ts';
import type { Schema } from '../database/schema.ts';
import { type FleetMember, fleetOf } from '../delegates/fleet.ts';
import { cutOffBy } from './cut-off.ts';
import { recordChange } from './endpoint-audit.ts';
import type { EndpointAction, EndpointChanged } from './endpoint-changed.ts';
import type { EndpointChange } from './endpoint-request.ts';
import { EndpointStore, type MtlsEndpoint } from './endpoint-store.ts';
import { readReadiness } from './read-readiness.ts';
import { refuseUnlessReady } from './ready-only.ts';
import { type PendingRevert, RevertStore } from './revert-store.ts';
import { onTrial, refuseThirdBundle, wayBack } from './trial.ts';

export interface EndpointWriterParts {
  readonly database: Kysely<Schema>;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly urlOf: (fqdn: string) => string;
  /** Resolves when what this replica has seen of delegates and refusals is in the database. */
  readonly settle: () => Promise<void>;
  /** Runs in the transaction of every change: what it writes is there exactly when the change is. */
  readonly onChange: (transaction: Transaction<Schema>, changed: EndpointChanged) => Promise<void>;
}

/** How carefully a change is made. */
export interface Safety {
  /** Refuse the change while it would cut off anybody, those included who were seen within so many days. */
  readonly onlyIfReady: { readonly notSeenForDays: number } | null;
  /** Take the change back after so many milliseconds unless it is confirmed. */
  readonly revertAfterMs: number | null;
}

export const PLAIN_CHANGE: Safety = { onlyIfReady: null, revertAfterMs: null };

export interface ChangeOutcome {
  readonly endpoint: MtlsEndpoint;
  readonly cutOff: readonly CutOff[];
  /** Epoch milliseconds; null when nothing is waiting for a confirmation. */
  readonly revertsAt: number | null;
}

/** Every write to an endpoint goes through here: locked, audited, announced, and with who it cuts off. */
export class EndpointWriter {
  readonly #parts: EndpointWriterParts;

  constructor(parts: EndpointWriterParts) {
    this.#parts = parts;
  }

  /** When it resolves, the endpoint admits clients of its CA. Rejects with a unique violation when account or name has one. */
  async create(accountId: string, endpoint: Required<EndpointChange>, actor: string): Promise<MtlsEndpoint> {
    return this.#commit(accountId, async (transaction) => {
      const stored = { uuid: randomUUID(), accountId, ...endpoint };
      const after = await new EndpointStore(transaction).insert(stored, this.#parts.clock.now());
      await this.#tell(transaction, 'endpoint.created', actor, null, after);
      return after;
    });
  }

  /**
   * Applies what `decide` makes of the endpoint and its delegates as they are; null leaves it untouched. When it resolves, connections that
   * no longer hold have been judged by the new state, on this replica; the outcome names the delegates behind them, and
   * one that connected while the change was made is among them.
   *
   * With `onlyIfReady` judgement and write are one transaction. A delegate that registers between the two is not seen
   * by the judgement; it is cut off and named in the outcome. Rejects with a unique violation when a name is taken.
   *
   * A change that waits for its confirmation goes on waiting, unless this one sets it back by hand. Throws CONFLICT when
   * the bundle is on trial and this one would put a third in its place, without a `revertAfterMs` of its own.
   */
  async change(
    accountId: string,
    actor: string,
    decide: (endpoint: MtlsEndpoint, fleet: readonly FleetMember[]) => EndpointChange | null,
    safety: Safety = PLAIN_CHANGE,
  ): Promise<ChangeOutcome> {
    const { database, clock, settle } = this.#parts;
    await settle();
    const startedAt = clock.now().getTime();
    const outcome = await this.#commit(accountId, async (transaction) => {
      const endpoints = new EndpointStore(transaction);
      const before = found(accountId, await endpoints.lock(accountId));
      const fleet = await fleetOf(transaction, accountId, startedAt);
      const change = decide(before, fleet);
      const reverts = new RevertStore(transaction);
      if (change === null) {
        return {
          before,
          endpoint: before,
          cutOff: [],
          revertsAt: (await reverts.ofEndpoint(before.uuid))?.revertAt ?? null,
        };
      }
      const after = { ...before, ...change };
      const pending = await reverts.ofEndpoint(before.uuid);
      if (pending !== null && safety.revertAfterMs === null) refuseThirdBundle(pending, before, after);
      const cutOff = cutOffBy(
        fleet.filter(({ connected }) => connected),
        before,
        after,
      );
      if (safety.onlyIfReady !== null) {
        const { notSeenForDays } = safety.onlyIfReady;
        const readiness = await readReadiness(transaction, before, { ...this.#parts, notSeenForDays, now: startedAt });
        refuseUnlessReady(before, after, cutOff, readiness);
      }
      const endpoint = found(accountId, await endpoints.update(before.uuid, change, clock.now()));
      await this.#tell(transaction, 'endpoint.updated', actor, before, endpoint);
      const revertsAt =
        safety.revertAfterMs === null
          ? await this.#keepWaiting(transaction, pending, before, endpoint, actor)
          : await this.#putOnTrial(reverts, before, change, safety.revertAfterMs, actor);
      return { before, endpoint, cutOff, revertsAt };
    });
    await settle();
    const now = clock.now().getTime();
    const here = (await fleetOf(database, accountId, now)).filter(
      ({ connected, lastSeen }) => connected || lastSeen >= startedAt,
    );
    const known = new Set(outcome.cutOff.map(({ delegateId }) => delegateId));
    const late = cutOffBy(here, outcome.before, outcome.endpoint).filter(({ delegateId }) => !known.has(delegateId));
    return { endpoint: outcome.endpoint, cutOff: [...outcome.cutOff, ...late], revertsAt: outcome.revertsAt };
  }

  /** False when there was none. When it resolves, nobody is connected through the endpoint any more. */
  async delete(accountId: string, actor: string): Promise<boolean> {
    return this.#commit(accountId, async (transaction) => {
      const endpoints = new EndpointStore(transaction);
      const endpoint = await endpoints.lock(accountId);
      if (endpoint === null) return false;
      await endpoints.delete(endpoint.uuid);
      await this.#tell(transaction, 'endpoint.deleted', actor, endpoint, null);
      return true;
    });
  }

  /** The change that is waiting stays. Throws CONFLICT when none is: it was taken back, or confirmed before. */
  async confirm(accountId: string, actor: string): Promise<MtlsEndpoint> {
    return this.#commit(accountId, async (transaction) => {
      const endpoint = found(accountId, await new EndpointStore(transaction).lock(accountId));
      if ((await new RevertStore(transaction).take(endpoint.uuid)) === null) {
        throw new SallyportError(
          'CONFLICT',
          `No change of the endpoint is waiting for a confirmation; its mode is ${endpoint.mode}.`,
          {
            remedy: 'If the time was over, the change was taken back: look at the endpoint, and make the change again.',
          },
        );
      }
      await this.#tell(transaction, 'endpoint.confirmed', actor, endpoint, endpoint);
      return endpoint;
    });
  }

  /** Takes a change back that is due and that nobody confirmed; false when somebody else was first. */
  async revert({ accountId, endpointUuid, askedBy }: PendingRevert): Promise<boolean> {
    return this.#commit(accountId, async (transaction) => {
      const endpoints = new EndpointStore(transaction);
      const now = this.#parts.clock.now();
      const before = await endpoints.lock(accountId);
      if (before?.uuid !== endpointUuid) return false;
      // As it is now, not as it was when it was seen to be due: another change may have come in between.
      const due = await new RevertStore(transaction).take(endpointUuid, now.getTime());
      if (due === null) return false;
      const { mode, caCertificates } = due;
      const after = found(accountId, await endpoints.update(endpointUuid, { mode, caCertificates }, now));
      await this.#tell(
        transaction,
        'endpoint.reverted',
        `not confirmed in time, asked for by ${askedBy}`,
        before,
        after,
      );
      return true;
    });
  }

  async #putOnTrial(
    reverts: RevertStore,
    before: MtlsEndpoint,
    change: EndpointChange,
    revertAfterMs: number,
    actor: string,
  ): Promise<number> {
    const { uuid, accountId, mode, caCertificates } = before;
    if (change.fqdn !== undefined && change.fqdn !== before.fqdn) {
      throw new SallyportError('INVALID_REQUEST', 'A change of domainPrefix cannot be taken back by revertAfter.', {
        remedy: 'Change the prefix in a call of its own: another account may take the name that is given up.',
      });
    }
    const revertAt = this.#parts.clock.now().getTime() + revertAfterMs;
    await reverts.put({ endpointUuid: uuid, accountId, revertAt, mode, caCertificates, askedBy: actor });
    return revertAt;
  }

  /**
   * Only a confirmation, or its own time, ends a trial: somebody who adds a CA, or repeats a call, has not said that the
   * change before may stay. What was set back by hand is on trial no longer, and that is on record.
   */
  async #keepWaiting(
    transaction: Transaction<Schema>,
    pending: PendingRevert | null,
    before: MtlsEndpoint,
    after: MtlsEndpoint,
    actor: string,
  ): Promise<number | null> {
    if (pending === null) return null;
    const reverts = new RevertStore(transaction);
    const next = wayBack(pending, before, after);
    const left = onTrial(next, after);
    const done = onTrial(pending, before).filter((field) => !left.includes(field));
    if (done.length > 0) await this.#tell(transaction, 'endpoint.reverted', actor, after, after);
    if (left.length === 0 && done.length > 0) {
      await reverts.take(pending.endpointUuid);
      return null;
    }
    await reverts.setWayBack(pending.endpointUuid, next);
    return pending.revertAt;
  }

  async #tell(
    transaction: Transaction<Schema>,
    action: EndpointAction,
    actor: string,
    before: MtlsEndpoint | null,
    after: MtlsEndpoint | null,
  ): Promise<void> {
    const endpoint = after ?? before;
    if (endpoint === null) return;
    const at = this.#parts.clock.now().getTime();
    const changed = { accountId: endpoint.accountId, action, actor, at, before, after };
    await recordChange(transaction, changed);
    await this.#parts.onChange(transaction, changed);
  }

  #commit<R>(accountId: string, work: (transaction: Transaction<Schema>) => Promise<R>): Promise<R> {
    return this.#parts.bus.commit({ type: 'trust-changed', accountId }, work);
  }
}

/** Throws ENTITY_NOT_FOUND in the words that existing clients know. */
export function found(accountId: string, endpoint: MtlsEndpoint | null): MtlsEndpoint {
  if (endpoint !== null) return endpoint;
  throw new SallyportError('ENTITY_NOT_FOUND', `Agent mTLS endpoint for account '${accountId}' was not found.`, {
    remedy: 'Create the endpoint first.',
  });
}
