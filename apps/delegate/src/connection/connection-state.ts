import { ManagerError, TransportError } from '@sallyport/client';
import type { Logger } from 'pino';

/** connecting: not connected since the start; refused: the manager said no; disconnected: it was not reached. */
export type Phase = 'connecting' | 'connected' | 'refused' | 'disconnected' | 'stopped';
export type Channel = 'push' | 'poll';

export interface Trouble {
  /** A code of the manager's ledger, or the kind of transport failure. */
  readonly code: string;
  /** The manager's own words when it refused. */
  readonly message: string;
  readonly remedy: string;
  readonly firstAt: number;
  readonly lastAt: number;
  /** How often in a row. */
  readonly count: number;
}

/** After this many repetitions of a reason, and every ten minutes, a line says that it goes on. */
const REPEAT_AT = new Set([10, 100, 1000]);
const REPEAT_AFTER_MS = 600_000;

/** What is known about the connection, for the log and the health answer; it says each new reason once. */
export class ConnectionState {
  readonly #logger: Logger;
  readonly #now: () => number;
  #phase: Phase = 'connecting';
  #since: number;
  #channel: Channel | null = null;
  #trouble: Trouble | null = null;
  #loggedAt = 0;
  #failures = 0;

  constructor(logger: Logger, now: () => number = Date.now) {
    this.#logger = logger;
    this.#now = now;
    this.#since = now();
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** Since when the delegate has been in this phase; refused and disconnected count as one. */
  get since(): number {
    return this.#since;
  }

  get channel(): Channel | null {
    return this.#channel;
  }

  /** The last refusal or failure; it stays readable after the connection is back. */
  get trouble(): Trouble | null {
    return this.#trouble;
  }

  /** Failed attempts since the last connection, whatever their reasons. */
  get failures(): number {
    return this.#failures;
  }

  connected(channel: Channel): void {
    this.#failures = 0;
    if (this.#phase === 'connected' && this.#channel === channel) return;
    const after = this.#phase === 'connected' ? undefined : this.#trouble?.count;
    const how = channel === 'push' ? 'tasks are pushed' : 'tasks are polled for';
    this.#logger.info({ channel, ...(after === undefined ? {} : { failedAttempts: after }) }, `connected, ${how}`);
    this.#channel = channel;
    this.#enter('connected');
  }

  /** Records why the connection could not be made or was lost. */
  failed(error: unknown): void {
    this.#failures += 1;
    const refused = error instanceof ManagerError && error.status < 500;
    const { code, message, remedy } = describe(error);
    const known =
      this.#phase !== 'connected' && this.#trouble?.code === code && sameWords(this.#trouble.message, message);
    const now = this.#now();
    const count = known ? (this.#trouble?.count ?? 0) + 1 : 1;
    this.#trouble = {
      code,
      message,
      remedy,
      firstAt: known ? (this.#trouble?.firstAt ?? now) : now,
      lastAt: now,
      count,
    };
    this.#channel = null;
    const first = this.#phase === 'connecting' && !refused;
    this.#enter(refused ? 'refused' : first ? 'connecting' : 'disconnected');
    if (refused && isCutShort(message)) {
      this.#logger.info({ code }, `the manager cut this delegate off: ${message}`);
      return;
    }
    if (known && !REPEAT_AT.has(count) && now - this.#loggedAt < REPEAT_AFTER_MS) return;
    this.#loggedAt = now;
    const what = refused ? 'the manager refuses this delegate' : 'no connection to the manager';
    const details = { code, remedy, ...(count > 1 ? { count } : {}) };
    this.#logger.warn(details, `${what}${count > 1 ? ' still' : ''}: ${message}`);
  }

  stopped(): void {
    this.#channel = null;
    this.#enter('stopped');
  }

  #enter(phase: Phase): void {
    const isDown = (candidate: Phase) => candidate === 'refused' || candidate === 'disconnected';
    if (phase !== this.#phase && !(isDown(phase) && isDown(this.#phase))) this.#since = this.#now();
    this.#phase = phase;
  }
}

/** The reason in a WebSocket's close frame has 123 bytes at most; the next attempt brings the whole one. */
function isCutShort(message: string): boolean {
  return message.endsWith('...');
}

/** "your clock is 47 s behind" and "48 s behind" are one reason. */
function sameWords(a: string, b: string): boolean {
  return a.replace(/\d+/g, '#') === b.replace(/\d+/g, '#');
}

function describe(error: unknown): { code: string; message: string; remedy: string } {
  if (error instanceof ManagerError) return { code: error.code, message: error.message, remedy: error.remedy };
  if (error instanceof TransportError) return { code: error.failure, message: error.message, remedy: error.remedy };
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'FAULT', message, remedy: 'This is a fault of the delegate: report it with this line.' };
}
