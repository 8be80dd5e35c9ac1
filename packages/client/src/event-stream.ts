import { setTimeout as delay } from 'node:timers/promises';
import { Backoff } from './backoff.ts';
import type { StreamedAnswer } from './connection-set.ts';
import { ManagerError, TransportError } from './errors.ts';
import type { ManagerRequest } from './manager-request.ts';
import { explainTransportFailure } from './transport-failures.ts';

export interface ServerSentEvent {
  /** The last id that the server gave, by this event or an earlier one; '' when it gave none. */
  readonly id: string;
  /** `message` when the server named none. */
  readonly event: string;
  readonly data: string;
}

export interface EventStreamRequest extends Pick<ManagerRequest, 'path' | 'query' | 'headers' | 'signal'> {
  /** Where to go on from, as an earlier stream told it. */
  readonly lastEventId?: string;
  /** Silence, pings included, after which the connection counts as lost. */
  readonly silenceMs?: number;
  /** How long without contact until it gives up. */
  readonly giveUpAfterMs?: number;
  readonly retryBaseMs?: number;
  readonly retryMaxMs?: number;
  /** Contact is lost; it tries again. Told once for each loss. */
  readonly onLost?: (error: TransportError | ManagerError) => void;
}

/** Servers ping every 30 s; two may be missed. */
const SILENCE_MS = 75_000;
const GIVE_UP_AFTER_MS = 60_000;
/** What a server cannot make this client keep in memory for one event. */
const MAX_EVENT_CHARACTERS = 1024 * 1024;
const PASSING_STATUS = new Set([408, 425, 429, 500, 502, 503, 504]);

/**
 * The events of one stream, over as many connections as it takes: after a loss it asks to go on after the last id that
 * it saw. Events are pulled: a slow consumer slows the server's sending down, nothing heaps up here. It never ends by
 * itself, since HTTP cannot tell an end from a loss: the consumer leaves when an event says that it is over.
 * Throws a refusal (ManagerError) at once, TransportError after `giveUpAfterMs` without contact, the signal's reason.
 */
export async function* followEvents(
  open: (request: ManagerRequest) => Promise<StreamedAnswer>,
  target: string,
  request: EventStreamRequest,
): AsyncGenerator<ServerSentEvent> {
  const { path, query, headers, signal, silenceMs = SILENCE_MS } = request;
  const backoff = new Backoff({ baseMs: request.retryBaseMs ?? 500, maxMs: request.retryMaxMs ?? 5000 });
  let lastId = request.lastEventId ?? '';
  let lostAt: number | null = null;
  while (true) {
    signal?.throwIfAborted();
    let failure: TransportError | ManagerError;
    const silence = new Silence(silenceMs);
    try {
      const answer = await open({
        method: 'GET',
        path,
        ...(query === undefined ? {} : { query }),
        headers: { ...headers, accept: 'text/event-stream', ...(lastId === '' ? {} : { 'last-event-id': lastId }) },
        signal: signal === undefined ? silence.signal : AbortSignal.any([signal, silence.signal]),
      });
      try {
        checkContentType(answer, target);
        lostAt = null;
        const parser = new EventParser(lastId);
        for await (const chunk of answer.body) {
          // Not while the consumer is busy with an event: its slowness is not the server's silence.
          silence.pause();
          backoff.reset();
          for (const event of parser.read(chunk)) {
            lastId = event.id;
            yield event;
          }
          silence.start();
        }
        failure = lost(target);
      } finally {
        silence.pause();
        await answer.close();
      }
    } catch (error) {
      silence.pause();
      if (signal?.aborted === true) throw signal.reason;
      failure = passing(error, target);
    }
    if (lostAt === null) request.onLost?.(failure);
    lostAt ??= performance.now();
    if (performance.now() - lostAt > (request.giveUpAfterMs ?? GIVE_UP_AFTER_MS)) throw failure;
    const waitMs = backoff.next(failure instanceof ManagerError ? failure.retryAfterMs : 0);
    await delay(waitMs, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  }
}

/** What may pass, to be tried again; throws what will not. */
function passing(error: unknown, target: string): TransportError | ManagerError {
  if (error instanceof ManagerError) {
    if (PASSING_STATUS.has(error.status)) return error;
    throw error;
  }
  if (error instanceof TransportError && FINAL.has(error.failure)) throw error;
  return explainTransportFailure(error, target);
}

const FINAL: ReadonlySet<string> = new Set([
  'SERVER_UNTRUSTED',
  'SERVER_NAME_MISMATCH',
  'SERVER_CERTIFICATE_EXPIRED',
  'ANSWER_TOO_LARGE',
  'PROXY_CREDENTIALS',
]);

function lost(target: string): TransportError {
  return new TransportError(
    'CONNECTION_LOST',
    `${target} ended the stream without saying that it is over.`,
    'It may be restarting. If it stays so, look at proxies in between that cut long answers.',
  );
}

function checkContentType({ headers }: StreamedAnswer, target: string): void {
  const type = String(headers['content-type'] ?? '');
  if (type.startsWith('text/event-stream')) return;
  throw new TransportError(
    'UNEXPECTED_ANSWER',
    `${target} answered with "${type}" where a stream of events was asked for.`,
    'Check the address; a proxy or load balancer in between may be answering by itself.',
  );
}

/** Aborts when nothing came for too long. */
class Silence {
  readonly #controller = new AbortController();
  readonly #ms: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number) {
    this.#ms = ms;
    this.start();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  start(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#controller.abort(new DOMException('silence', 'TimeoutError')), this.#ms);
  }

  pause(): void {
    clearTimeout(this.#timer);
  }
}

/** https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation */
export class EventParser {
  readonly #decoder = new TextDecoder();
  #text = '';
  #id: string;
  #event = '';
  #data: string[] = [];
  #size = 0;

  constructor(lastId = '') {
    this.#id = lastId;
  }

  /** The events that these bytes complete. Throws TransportError when one is larger than this client takes. */
  read(chunk: Uint8Array): ServerSentEvent[] {
    const events: ServerSentEvent[] = [];
    this.#text += this.#decoder.decode(chunk, { stream: true });
    // A CR at the very end may be half of a CRLF.
    const lines = this.#text.split(/\r\n|\n|\r(?!$)/);
    this.#text = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') this.#dispatch(events);
      else this.#field(line);
    }
    if (this.#size + this.#text.length > MAX_EVENT_CHARACTERS) throw tooLarge();
    return events;
  }

  #field(line: string): void {
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1));
    if (name === 'data') {
      this.#data.push(value);
      this.#size += value.length;
      if (this.#size > MAX_EVENT_CHARACTERS) throw tooLarge();
    } else if (name === 'event') this.#event = value;
    else if (name === 'id' && !value.includes('\0')) this.#id = value;
  }

  #dispatch(events: ServerSentEvent[]): void {
    if (this.#data.length > 0) {
      events.push({ id: this.#id, event: this.#event === '' ? 'message' : this.#event, data: this.#data.join('\n') });
    }
    this.#event = '';
    this.#data = [];
    this.#size = 0;
  }
}

function tooLarge(): TransportError {
  return new TransportError(
    'ANSWER_TOO_LARGE',
    `One event is larger than the ${MAX_EVENT_CHARACTERS} characters that this client takes.`,
    'Check that the address is the manager.',
  );
}
