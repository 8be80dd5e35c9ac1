import type { PresentedCertificate, TaskEvent, Transport } from '@sallyport/protocol';
import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import type { Delegate, DelegateStore } from './delegate-store.ts';
import type { PresenceChange } from './presence-writer.ts';

/** How a delegate reaches this replica. */
export interface Via {
  readonly transport: Transport;
  readonly certificate: PresentedCertificate | null;
  /** Fingerprint of the bundle's CA that its chain ends at; null when plain, or when that could not be told. */
  readonly anchor: string | null;
  readonly tokenId: string;
}

/** Something that task events can be handed to: an open push stream, or a held poll (which takes one batch). */
export interface EventSink {
  send(events: readonly TaskEvent[]): void;
}

export interface PresentDelegate {
  readonly id: string;
  readonly accountId: string;
  readonly name: string;
  readonly tags: readonly string[];
  readonly supportedTaskTypes: readonly string[];
  readonly lastSeen: number;
  readonly sink: EventSink | null;
  /** Tasks it takes at once, when it said so; 0 means none at the moment. */
  readonly capacity: number | null;
}

interface Entry extends PresentDelegate {
  name: string;
  tags: readonly string[];
  supportedTaskTypes: readonly string[];
  lastSeen: number;
  sink: EventSink | null;
  streaming: boolean;
  capacity: number | null;
  via: Via;
  /** Aborts for a delegate that polls and is not polling right now. What is queued it reads itself when it does. */
  undelivered: TaskEvent[];
}

const LEASE_MS = 30_000;
const RENEW_EVERY_MS = 10_000;
const WRITE_EVERY_MS = 100;
/** A delegate without a push stream counts as gone after this long without a heartbeat; the slowest known client sends one every 50 s. */
const POLLER_GONE_AFTER_MS = 120_000;
const MAX_UNDELIVERED = 100;

/**
 * Which delegates are connected to this replica. A heartbeat touches memory only: in the database a delegate is held by
 * a replica, and that replica renews one lease for all of them. Comings and goings are written in batches.
 */
export class Presence {
  readonly replicaId: string;
  readonly #store: DelegateStore;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #entries = new Map<string, Entry>();
  readonly #byAccount = new Map<string, Set<Entry>>();
  readonly #changed = new Set<string>();
  #timers: NodeJS.Timeout[] = [];
  #writing: Promise<void> = Promise.resolve();

  constructor(replicaId: string, store: DelegateStore, clock: Clock, logger: Logger) {
    this.replicaId = replicaId;
    this.#store = store;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Takes the lease. With `alone`, delegates that an earlier process held are released first. */
  async start(alone: boolean): Promise<void> {
    const now = this.#now();
    await this.#store.renewLease(this.replicaId, now + LEASE_MS);
    if (alone) await this.#store.releaseOthers(this.replicaId, now);
    this.#timers = [
      setInterval(() => void this.#tend(), RENEW_EVERY_MS),
      setInterval(() => void this.flush(), WRITE_EVERY_MS),
    ];
  }

  /**
   * Writes what is pending and gives back the lease: our delegates are free to be seen elsewhere at once. Never rejects:
   * without a database the lease runs out by itself, and whoever stops us has more to close.
   */
  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.flush();
    try {
      await this.#store.releaseReplica(this.replicaId, this.#now());
    } catch (error) {
      this.#logger.warn({ err: error }, 'the lease of this replica was not given back; it runs out by itself');
    }
  }

  /** A delegate was heard of. Costs a database write only when it is new here or came another way than before. */
  touch(delegate: Delegate, via: Via): void {
    const entry = this.#entries.get(delegate.id);
    if (entry === undefined) {
      this.#insert(delegate, via);
      this.#changed.add(delegate.id);
      return;
    }
    entry.name = delegate.name;
    entry.tags = delegate.tags;
    entry.supportedTaskTypes = delegate.supportedTaskTypes;
    this.#touch(entry, via);
  }

  /** The cheap form, for a delegate that is here already. False when it is not: then find it and `touch` it. */
  touchKnown(accountId: string, delegateId: string, via: Via): boolean {
    const entry = this.#entries.get(delegateId);
    if (entry === undefined || entry.accountId !== accountId) return false;
    this.#touch(entry, via);
    return true;
  }

  get(accountId: string, delegateId: string): PresentDelegate | undefined {
    const entry = this.#entries.get(delegateId);
    return entry?.accountId === accountId ? entry : undefined;
  }

  get size(): number {
    return this.#entries.size;
  }

  ofAccount(accountId: string): readonly PresentDelegate[] {
    return [...(this.#byAccount.get(accountId) ?? [])];
  }

  accountIds(): readonly string[] {
    return [...this.#byAccount.keys()];
  }

  /** An open stream makes a delegate present until it ends. The returned function ends it; a newer stream is not touched by that. */
  openStream(delegateId: string, sink: EventSink): () => void {
    const entry = this.#entries.get(delegateId);
    if (entry === undefined) throw new Error(`the delegate ${delegateId} is not present`);
    entry.sink = sink;
    entry.streaming = true;
    this.#deliverPending(entry);
    return () => {
      if (entry.sink !== sink) return;
      entry.sink = null;
      entry.streaming = false;
      this.leave(entry.accountId, delegateId);
    };
  }

  /** Events that wait for a polling delegate, or a promise of the next ones: it resolves empty after `waitMs`. */
  poll(delegateId: string, waitMs: number, signal: AbortSignal): Promise<readonly TaskEvent[]> {
    const entry = this.#entries.get(delegateId);
    const pending = entry?.undelivered.splice(0) ?? [];
    if (entry === undefined || entry.streaming || pending.length > 0 || waitMs <= 0 || signal.aborted)
      return Promise.resolve(pending);
    return new Promise((resolve) => {
      const sink: EventSink = { send: (events) => finish(events) };
      const finish = (events: readonly TaskEvent[]) => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        if (entry.sink === sink) entry.sink = null;
        resolve(events);
      };
      const onAbort = () => finish([]);
      const timer = setTimeout(() => finish([]), waitMs);
      signal.addEventListener('abort', onAbort);
      entry.sink = sink;
    });
  }

  /** Hands over events now, or at the delegate's next poll. False when it is not here. */
  send(accountId: string, delegateId: string, events: readonly TaskEvent[]): boolean {
    const entry = this.#entries.get(delegateId);
    if (entry === undefined || entry.accountId !== accountId) return false;
    if (entry.sink !== null) entry.sink.send(events);
    else {
      // An offer that waited could be of a task that somebody runs by then: the delegate itself, who would run it again.
      const aborts = events.filter(({ eventType }) => eventType === 'DelegateTaskAbortEvent');
      entry.undelivered.push(...aborts.slice(0, MAX_UNDELIVERED - entry.undelivered.length));
    }
    return true;
  }

  limit(accountId: string, delegateId: string, capacity: number): void {
    const entry = this.#entries.get(delegateId);
    if (entry?.accountId === accountId) entry.capacity = capacity;
  }

  /** Takes off the account's pollers whose way in no longer holds: they are gone now, not after a time of silence. */
  dropPollers(accountId: string, holds: (via: Via) => boolean): void {
    for (const entry of [...(this.#byAccount.get(accountId) ?? [])]) {
      if (!entry.streaming && !holds(entry.via)) this.leave(accountId, entry.id);
    }
  }

  /** The delegate said goodbye, its stream ended, or it was deleted. */
  leave(accountId: string, delegateId: string): void {
    const entry = this.#entries.get(delegateId);
    if (entry === undefined || entry.accountId !== accountId) return;
    this.#entries.delete(delegateId);
    const members = this.#byAccount.get(accountId);
    members?.delete(entry);
    if (members?.size === 0) this.#byAccount.delete(accountId);
    this.#changed.add(delegateId);
    this.#lastSeenOfGone.set(delegateId, entry.lastSeen);
  }

  /** Resolves when every coming and going so far is in the database, or its failure is in the log. */
  flush(): Promise<void> {
    if (this.#changed.size === 0) return this.#writing;
    const now = this.#now();
    const changes = [...this.#changed].map((delegateId): PresenceChange => {
      const entry = this.#entries.get(delegateId);
      return entry === undefined
        ? { delegateId, lastSeen: this.#lastSeenOfGone.get(delegateId) ?? now, via: null }
        : { delegateId, lastSeen: entry.lastSeen, via: entry.via };
    });
    this.#changed.clear();
    this.#lastSeenOfGone.clear();
    this.#writing = this.#writing
      .then(() => this.#store.writePresence(changes, this.replicaId, now))
      .catch((error: unknown) => {
        this.#logger.error({ err: error, delegates: changes.length }, 'presence was not written; trying again');
        for (const { delegateId } of changes) this.#changed.add(delegateId);
      });
    return this.#writing;
  }

  readonly #lastSeenOfGone = new Map<string, number>();

  #insert(delegate: Delegate, via: Via): void {
    const entry: Entry = {
      id: delegate.id,
      accountId: delegate.accountId,
      name: delegate.name,
      tags: delegate.tags,
      supportedTaskTypes: delegate.supportedTaskTypes,
      lastSeen: this.#now(),
      sink: null,
      streaming: false,
      capacity: null,
      via,
      undelivered: [],
    };
    this.#entries.set(delegate.id, entry);
    const members = this.#byAccount.get(delegate.accountId);
    if (members === undefined) this.#byAccount.set(delegate.accountId, new Set([entry]));
    else members.add(entry);
  }

  #touch(entry: Entry, via: Via): void {
    entry.lastSeen = this.#now();
    const before = entry.via;
    if (
      before.transport === via.transport &&
      before.certificate?.fingerprint === via.certificate?.fingerprint &&
      before.anchor === via.anchor &&
      before.tokenId === via.tokenId
    )
      return;
    entry.via = via;
    this.#changed.add(entry.id);
  }

  #deliverPending(entry: Entry): void {
    if (entry.undelivered.length > 0) entry.sink?.send(entry.undelivered.splice(0));
  }

  async #tend(): Promise<void> {
    const now = this.#now();
    try {
      await this.#store.renewLease(this.replicaId, now + LEASE_MS);
      await this.#store.releaseExpired(now);
      await this.#store.forgetGone(now);
    } catch (error) {
      this.#logger.error({ err: error }, 'the lease of this replica was not renewed; trying again');
    }
    for (const entry of this.#entries.values()) {
      if (!entry.streaming && now - entry.lastSeen > POLLER_GONE_AFTER_MS) this.leave(entry.accountId, entry.id);
    }
  }

  #now(): number {
    return this.#clock.now().getTime();
  }
}
