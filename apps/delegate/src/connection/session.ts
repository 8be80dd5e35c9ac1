import { setTimeout as delay } from 'node:timers/promises';
import { Backoff, ManagerError, type StreamEnd, TransportError } from '@sallyport/client';
import type { TaskEvent } from '@sallyport/protocol';
import type { Logger } from 'pino';
import type { Timings } from '../config/timings.ts';
import type { AgentApi } from './agent-api.ts';
import type { ConnectionState } from './connection-state.ts';
import { PushChannel } from './push-channel.ts';

export interface SessionParts {
  readonly api: AgentApi;
  readonly state: ConnectionState;
  readonly timings: Timings;
  readonly pollOnly: boolean;
  readonly taskConcurrency: number;
  /** Returns false when none of the events could be acted on now. */
  readonly onEvents: (delegateId: string, events: readonly TaskEvent[]) => boolean;
  readonly onConnected: () => void;
  /** An attempt has failed; told before the wait for the next one. */
  readonly onFailed: () => void;
  readonly logger: Logger;
}

/** After this many streams in a row that ended early, something in between is taken to cut WebSockets. */
const SHORT_STREAMS = 3;
/** WebSocket 1013, try again later: the manager asks for a registration. */
const REGISTER_AGAIN = 1013;

/**
 * Keeps this delegate known to the manager and listens for task events: register, then the push stream, or long poll
 * where streams do not get through. Whatever ends it, it starts over after a wait, until it is stopped or dismissed.
 */
export class Session {
  readonly #parts: SessionParts;
  readonly #backoff: Backoff;
  readonly #stop = new AbortController();
  #delegateId: string | null = null;
  #registered = false;
  #channel: PushChannel | null = null;
  #pushBlockedUntil = 0;
  #shortStreams = 0;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#backoff = new Backoff({ baseMs: parts.timings.reconnectBaseMs, maxMs: parts.timings.reconnectMaxMs });
  }

  /** The id under which the manager knows this delegate now, or null; it is kept over reconnections. */
  get registeredId(): string | null {
    return this.#registered ? this.#delegateId : null;
  }

  /** Runs until `stop` (resolves null) or until the manager dismisses this delegate (resolves with its words). */
  async run(): Promise<ManagerError | null> {
    while (!this.#stop.signal.aborted) {
      try {
        const delegateId = await this.#register();
        await this.#listen(delegateId);
      } catch (error) {
        if (this.#stop.signal.aborted) break;
        if (isDismissal(error)) return error;
        if (error instanceof ManagerError && error.code === 'DELEGATE_NOT_REGISTERED') this.#registered = false;
        this.#parts.state.failed(error);
        this.#parts.onFailed();
        await this.#pause(this.#backoff.next(error instanceof ManagerError ? error.retryAfterMs : 0));
      }
    }
    return null;
  }

  /** The client certificate changed; requests use it by themselves. */
  renewStream(): void {
    this.#channel?.renew();
  }

  stop(): void {
    this.#stop.abort();
    this.#channel?.close();
  }

  async #register(): Promise<string> {
    if (this.#delegateId !== null && this.#registered) return this.#delegateId;
    const { api, logger, taskConcurrency } = this.#parts;
    const { delegateId, action } = await api.register(this.#delegateId);
    if (action === 'SELF_DESTRUCT') {
      throw new ManagerError({
        status: 410,
        code: 'SELF_DESTRUCT',
        message: 'The manager told this delegate to stop: it was deleted, or its token was revoked.',
        remedy: 'To bring it back, start it with an active delegate token.',
      });
    }
    if (delegateId !== this.#delegateId) logger.info({ delegateId }, 'registered');
    this.#delegateId = delegateId;
    this.#registered = true;
    // Advice for the manager's choice of delegate; tasks are bounded here whether it arrives or not.
    await api.announceCapacity(delegateId, taskConcurrency).catch((error: unknown) => {
      logger.debug({ err: error }, 'the capacity was not announced');
    });
    return delegateId;
  }

  /** Returns when it is time to look for a better channel; throws when the connection is lost or refused. */
  async #listen(delegateId: string): Promise<void> {
    const { pollOnly, logger, timings } = this.#parts;
    if (pollOnly) return this.#poll(delegateId, Number.POSITIVE_INFINITY);
    if (Date.now() < this.#pushBlockedUntil) return this.#poll(delegateId, this.#pushBlockedUntil);
    const opened = await this.#openChannel(delegateId);
    if (opened instanceof PushChannel) return this.#push(opened);
    // Only when polling works and the stream fails once more was it the stream's fault: a manager that is down, or that came
    // back in between, must not cost minutes of polling.
    await this.#pollOnce(delegateId);
    const again = await this.#openChannel(delegateId);
    if (again instanceof PushChannel) return this.#push(again);
    this.#blockPush();
    logger.warn({ retryMs: timings.pushRetryMs }, `no push stream, falling back to long poll: ${again.message}`);
  }

  /** The channel, or why there is none although the manager did not refuse. Throws a refusal. */
  async #openChannel(delegateId: string): Promise<PushChannel | Error> {
    const { api, logger, onEvents } = this.#parts;
    try {
      return await PushChannel.open(api, delegateId, (events) => onEvents(delegateId, events), logger);
    } catch (error) {
      if (!(error instanceof Error) || isRefusal(error)) throw error;
      return error;
    }
  }

  async #push(channel: PushChannel): Promise<void> {
    const { state, timings, onConnected } = this.#parts;
    this.#channel = channel;
    if (this.#stop.signal.aborted) channel.close();
    const openedAt = Date.now();
    state.connected('push');
    onConnected();
    const end = await channel.ended();
    this.#channel = null;
    if (this.#stop.signal.aborted) return;
    this.#judgeLife(Date.now() - openedAt < timings.shortStreamMs);
    throw this.#reasonOf(end);
  }

  #judgeLife(short: boolean): void {
    const { logger, timings } = this.#parts;
    this.#shortStreams = short ? this.#shortStreams + 1 : 0;
    if (!short) this.#backoff.reset();
    if (this.#shortStreams < SHORT_STREAMS) return;
    this.#shortStreams = 0;
    this.#blockPush();
    logger.warn({ retryMs: timings.pushRetryMs }, 'push streams end early again and again, falling back to long poll');
  }

  #reasonOf({ code, refusal }: StreamEnd): Error {
    if (refusal !== null) return refusal;
    if (code === REGISTER_AGAIN) this.#registered = false;
    return new TransportError(
      'CONNECTION_LOST',
      `The push stream ended (close code ${code}).`,
      'The manager may be restarting. If it goes on, look at proxies in between that cut WebSockets.',
    );
  }

  #blockPush(): void {
    this.#pushBlockedUntil = Date.now() + this.#parts.timings.pushRetryMs;
  }

  async #poll(delegateId: string, until: number): Promise<void> {
    const { timings } = this.#parts;
    const over = new AbortController();
    const beating = this.#heartbeats(delegateId, over.signal);
    try {
      while (!this.#stop.signal.aborted && Date.now() < until) {
        const actedOn = await this.#pollOnce(delegateId);
        if (!actedOn) await this.#pause(timings.pollPauseMs);
      }
    } finally {
      over.abort();
      await beating;
    }
  }

  /** False when the answer held events of which none could be acted on: asking again at once would bring the same. */
  async #pollOnce(delegateId: string): Promise<boolean> {
    const { api, state, timings, onEvents, onConnected } = this.#parts;
    const proven = state.channel === 'poll';
    const events = await api.taskEvents(delegateId, proven ? timings.pollWaitSeconds : 0, this.#stop.signal);
    state.connected('poll');
    this.#backoff.reset();
    if (!proven) onConnected();
    return events.length === 0 || onEvents(delegateId, events);
  }

  /** Beside the long poll; never rejects. What is wrong shows in the poll itself. */
  async #heartbeats(delegateId: string, over: AbortSignal): Promise<void> {
    const { api, timings, logger } = this.#parts;
    while (!over.aborted) {
      await delay(timings.heartbeatMs, undefined, { signal: over }).catch(() => undefined);
      if (over.aborted) return;
      await api.heartbeat(delegateId).catch((error: unknown) => logger.debug({ err: error }, 'a heartbeat failed'));
    }
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#stop.signal }).catch(() => undefined);
  }
}

/** The manager wants this delegate gone; coming back with the same token can't help. */
function isDismissal(error: unknown): error is ManagerError {
  return error instanceof ManagerError && (error.code === 'SELF_DESTRUCT' || error.code === 'REVOKED_TOKEN');
}

/** Long poll would meet the same answer. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof ManagerError)) return false;
  return [401, 403, 421].includes(error.status) || error.code === 'DELEGATE_NOT_REGISTERED';
}
