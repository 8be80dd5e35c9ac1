import {
  LOG_EOF,
  LOG_QUERY,
  LOG_SERVICE,
  type LogLine,
  logKey,
  logPaths,
  logTailEvents,
  taskLogAbstractions,
} from '@sallyport/protocol';
import type { Api } from '../api.ts';

/** A line of a task's log, or a hole where lines are no longer kept. */
export type LogEntry = { readonly line: LogLine } | { readonly missing: number };

export interface TailOptions {
  /** Ends it; it then returns. */
  readonly signal: AbortSignal;
  /** Contact is lost; it tries again. */
  readonly onLost?: (message: string) => void;
}

/** One task's log at the log service: its live stream, and its blob once it is closed. */
export class TaskLog {
  readonly #api: Api;
  readonly #query: Readonly<Record<string, string>>;
  readonly #key: string;
  #lastEventId = '';

  constructor(api: Api, accountId: string, taskId: string) {
    this.#api = api;
    this.#key = logKey(taskLogAbstractions(taskId));
    this.#query = { [LOG_QUERY.account]: accountId, [LOG_QUERY.key]: this.#key };
  }

  /** True once any entry came from the stream. */
  get begun(): boolean {
    return this.#lastEventId !== '';
  }

  /** The stream from where the last call of this ended, until it is closed, is missing, or an hour is over. */
  async *stream(options: TailOptions): AsyncGenerator<LogEntry> {
    const { signal, onLost } = options;
    while (!signal.aborted) {
      try {
        for await (const event of this.#api.events({
          path: `${LOG_SERVICE}${logPaths.stream}`,
          query: { ...this.#query, [LOG_QUERY.from]: 'start' },
          ...(this.begun ? { lastEventId: this.#lastEventId } : {}),
          signal,
          ...(onLost === undefined ? {} : { onLost: (error) => onLost(error.message) }),
        })) {
          if (event.event === logTailEvents.end && event.data === LOG_EOF) return;
          // Too slow: the service has closed the connection, and keeps the place.
          if (event.event === logTailEvents.slow) break;
          if (event.event === logTailEvents.gap) {
            yield { missing: missingOf(event.data) };
            continue;
          }
          const line = event.event === 'message' ? lineOf(event.data) : null;
          if (line === null) continue;
          this.#lastEventId = event.id;
          yield { line };
        }
      } catch (error) {
        if (signal.aborted) return;
        throw error;
      }
    }
  }

  /** How many lines the open stream holds now; null when there is none. */
  async openLines(): Promise<number | null> {
    const info = await this.#api.plain('GET', `${LOG_SERVICE}${logPaths.streamInfo}`, { query: this.#query });
    if (typeof info !== 'object' || info === null || !('streams' in info)) return null;
    const streams = info.streams as Readonly<Record<string, { readonly size?: unknown } | undefined>>;
    const size = Object.hasOwn(streams, this.#key) ? streams[this.#key]?.size : undefined;
    return typeof size === 'number' ? size : null;
  }

  /** The lines of the closed stream, as they come; null when there are none (yet). */
  async blob(signal: AbortSignal): Promise<AsyncGenerator<LogLine> | null> {
    const body = await this.#api.download(`${LOG_SERVICE}${logPaths.blob}`, { query: this.#query, signal });
    return body === null ? null : rowsOf(body);
  }
}

async function* rowsOf(body: AsyncIterable<Buffer>): AsyncGenerator<LogLine> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    const rows = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = rows.pop() ?? '';
    for (const row of rows) yield rowOf(row);
  }
  if (rest !== '') yield rowOf(rest);
}

/** What is no line was put there by somebody else's writer, and is shown as it is. */
const rowOf = (row: string): LogLine => lineOf(row) ?? { out: `${row}\n` };

function lineOf(text: string): LogLine | null {
  const line = jsonOf(text);
  const isLine = typeof line === 'object' && line !== null && 'out' in line && typeof line.out === 'string';
  return isLine ? (line as LogLine) : null;
}

function missingOf(text: string): number {
  const gap = jsonOf(text);
  return typeof gap === 'object' && gap !== null && 'lines' in gap ? Number(gap.lines) : 0;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
