import { type ManagerClient, ManagerError } from '@sallyport/client';
import {
  LOG_QUERY,
  LOG_TOKEN_HEADER,
  LOG_WRITER_HEADER,
  type LogLines,
  logErrors,
  logPaths,
} from '@sallyport/protocol';

/** One stream and the right to write it. */
export interface LogTarget {
  readonly key: string;
  readonly token: string;
  /** The name under which the service knows what it has of this task's lines. */
  readonly writer: string;
}

export interface LogServiceTimeouts {
  readonly requestMs: number;
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

  /** Opens the stream, or goes on with the one that is there, open or closed: an answer may have been lost. */
  async open(target: LogTarget, signal: AbortSignal): Promise<void> {
    await this.#call('POST', target, signal, { query: { [LOG_QUERY.continue]: 'true' } });
  }

  /**
   * False: there is no such stream, the lines were not taken. Every line has a position, above those of the lines before it;
   * what the service has already is not stored again.
   */
  async write(target: LogTarget, lines: LogLines, signal: AbortSignal): Promise<boolean> {
    const headers = { [LOG_WRITER_HEADER]: target.writer };
    const { status } = await this.#call('PUT', target, signal, { body: lines, headers });
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

  #call(
    method: 'POST' | 'PUT' | 'DELETE',
    { key, token }: LogTarget,
    signal: AbortSignal,
    more: {
      readonly query?: Readonly<Record<string, string>>;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: unknown;
    } = {},
  ) {
    return this.#client.exchange({
      method,
      path: logPaths.stream,
      query: { [LOG_QUERY.account]: this.#accountId, [LOG_QUERY.key]: key, ...more.query },
      headers: { [LOG_TOKEN_HEADER]: token, ...more.headers },
      ...(more.body === undefined ? {} : { body: more.body }),
      timeoutMs: this.#timeouts.requestMs,
      signal,
    });
  }
}
