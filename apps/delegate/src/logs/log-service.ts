import { EventParser, type ManagerClient, ManagerError, TransportError } from '@sallyport/client';
import {
  LOG_QUERY,
  LOG_TOKEN_HEADER,
  LogLine,
  type LogLines,
  logErrors,
  logPaths,
  logTailEvents,
} from '@sallyport/protocol';
import { Check } from 'typebox/value';

/** One stream and the right to write it. */
export interface LogTarget {
  readonly key: string;
  readonly token: string;
}

export interface LogServiceTimeouts {
  readonly requestMs: number;
  /** How long a tail that has begun may be silent until everything that is there counts as seen. */
  readonly settleMs: number;
}

/** The log service's calls as the delegate makes them. All throw as `ManagerClient.request` does. */
export class LogService {
  readonly #client: ManagerClient;
  readonly #accountId: string;
  readonly #timeouts: LogServiceTimeouts;

  constructor(client: ManagerClient, accountId: string, timeouts: LogServiceTimeouts) {
    this.#client = client;
    this.#accountId = accountId;
    this.#timeouts = timeouts;
  }

  /** Empties a stream that is there already. */
  async open(target: LogTarget, signal: AbortSignal): Promise<void> {
    await this.#call('POST', target, signal);
  }

  /** False: there is no such stream, the lines were not taken. */
  async write(target: LogTarget, lines: LogLines, signal: AbortSignal): Promise<boolean> {
    const { status } = await this.#call('PUT', target, signal, { body: lines });
    return status === 204;
  }

  /** Closes it and keeps its lines as a blob. One that is closed already is no error: an answer may have been lost. */
  async close(target: LogTarget, signal: AbortSignal): Promise<void> {
    try {
      await this.#call('DELETE', target, signal, { query: { [LOG_QUERY.snapshot]: 'true' } });
    } catch (error) {
      if (!(error instanceof ManagerError) || !error.message.includes(logErrors.streamNotFound)) throw error;
    }
  }

  /** The lines of the blob that the stream's key has; none when it has none. */
  async stored(target: LogTarget, signal: AbortSignal): Promise<LogLines> {
    try {
      const { text } = await this.#call('GET', target, signal, { path: logPaths.blob });
      return text.split('\n').flatMap((row) => lineOf(row) ?? []);
    } catch (error) {
      if (error instanceof ManagerError && error.status === 404) return [];
      throw error;
    }
  }

  /**
   * The last position from `first` to `last` that the stream holds, or null: what became of a write whose answer was lost.
   * There is one writer, and a write is taken as a whole or not at all, so that the tail tells.
   */
  async lastTaken(target: LogTarget, first: number, last: number, signal: AbortSignal): Promise<number | null> {
    const quiet = new AbortController();
    const answer = await this.#client.stream({
      method: 'GET',
      path: logPaths.stream,
      query: this.#query(target, { [LOG_QUERY.from]: 'start' }),
      headers: { [LOG_TOKEN_HEADER]: target.token, accept: 'text/event-stream' },
      timeoutMs: this.#timeouts.requestMs,
      signal: AbortSignal.any([signal, quiet.signal]),
    });
    let taken: number | null = null;
    const timer = setTimeout(() => quiet.abort(), this.#timeouts.settleMs);
    try {
      const parser = new EventParser();
      for await (const chunk of answer.body) {
        for (const { event, data } of parser.read(chunk)) {
          if (event === logTailEvents.end) return taken;
          const pos = (event === 'message' ? lineOf(data) : null)?.pos ?? null;
          if (pos !== null && pos >= first && pos <= last) taken = Math.max(taken ?? first, pos);
          if (taken === last) return taken;
        }
        timer.refresh();
      }
      throw new TransportError(
        'CONNECTION_LOST',
        'The log service ended a tail without saying so.',
        'It may be restarting.',
      );
    } catch (error) {
      if (quiet.signal.aborted) return taken;
      throw error;
    } finally {
      clearTimeout(timer);
      await answer.close();
    }
  }

  #call(
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    target: LogTarget,
    signal: AbortSignal,
    more: { readonly path?: string; readonly query?: Readonly<Record<string, string>>; readonly body?: unknown } = {},
  ) {
    return this.#client.exchange({
      method,
      path: more.path ?? logPaths.stream,
      query: this.#query(target, more.query),
      headers: { [LOG_TOKEN_HEADER]: target.token },
      ...(more.body === undefined ? {} : { body: more.body }),
      timeoutMs: this.#timeouts.requestMs,
      signal,
    });
  }

  #query({ key }: LogTarget, more: Readonly<Record<string, string>> = {}): Record<string, string> {
    return { [LOG_QUERY.account]: this.#accountId, [LOG_QUERY.key]: key, ...more };
  }
}

function lineOf(text: string): LogLine | null {
  try {
    const line: unknown = JSON.parse(text);
    return Check(LogLine, line) ? line : null;
  } catch {
    return null;
  }
}
