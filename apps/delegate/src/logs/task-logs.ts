import { randomUUID } from 'node:crypto';
import type { AcquiredTask } from '@sallyport/protocol';
import { logKey } from '@sallyport/protocol';
import type { Logger } from 'pino';
import type { LineSource, MemoryBudget } from './line-queue.ts';
import { LineSplitter } from './line-splitter.ts';
import type { LogService, LogTarget } from './log-service.ts';
import { LogStream, type LogTimings } from './log-stream.ts';
import { type Masking, SecretMask } from './secret-mask.ts';
import type { SpoolFile } from './spool-file.ts';
import type { SpoolFolder } from './spool-folder.ts';

export interface TaskLogsParts {
  readonly service: LogService;
  readonly accountId: string;
  /** Null: there is none, or it cannot be used. */
  readonly folder: SpoolFolder | null;
  /** Of the delegate itself, masked in every task's output. */
  readonly secrets: readonly string[];
  readonly timings: LogTimings;
  /** What one task's lines may take in memory, and those of all tasks together. */
  readonly memoryBytes: number;
  readonly totalMemoryBytes: number;
  readonly logger: Logger;
}

/** What a task prints: it is masked, goes to the log service line by line, and comes back for the task's result. */
export interface TaskOutput {
  readonly stdout: Masking;
  readonly stderr: Masking;
  /** The task is over. Its log is delivered and closed in its own time. */
  end(): void;
}

/** Streams that wait for the service, of this and former processes. Beyond it, a task runs without a live log. */
const MOST_STREAMS = 500;
const AFTER_A_RESTART =
  '... the delegate ended here and was started again: what the task printed after this is not known\n';

/** The live logs of all tasks. */
export class TaskLogs {
  readonly #parts: TaskLogsParts;
  readonly #streams = new Set<LogStream>();
  readonly #memory: MemoryBudget;

  constructor(parts: TaskLogsParts) {
    this.#parts = parts;
    this.#memory = { limit: parts.totalMemoryBytes, used: 0 };
  }

  /** Logs that are not delivered and closed yet. */
  get undelivered(): number {
    return this.#streams.size;
  }

  /** Goes on with what former processes could not deliver. Never rejects. */
  async recover(): Promise<void> {
    const { folder, accountId, logger } = this.#parts;
    if (folder === null) return;
    try {
      const { files, unreadable } = await folder.left(accountId);
      for (const path of unreadable) logger.warn({ path }, 'a file of the log spool cannot be read; remove it');
      if (files.length > 0) logger.info({ streams: files.length }, 'delivering the logs that a former process left');
      for (const spool of files) this.#resume(spool);
    } catch (error) {
      logger.error({ err: error }, 'the log spool of former processes cannot be read');
    }
  }

  /**
   * Takes charge of the output of a task, of one that `prints`. Nothing is streamed for a task without a log token; its
   * output is masked all the same. Never rejects.
   */
  async begin(task: Pick<AcquiredTask, 'id' | 'logging' | 'secrets'>, prints: boolean): Promise<TaskOutput> {
    const mask = new SecretMask([...this.#parts.secrets, ...Object.values(task.secrets ?? {})]);
    const stream = prints ? await this.#open(task) : null;
    const partMs = this.#parts.timings.flushMs / 2;
    if (stream === null) return { stdout: mask.masking(), stderr: mask.masking(), end: () => undefined };
    return {
      stdout: tapped(mask.masking(), stream, 'stdout', partMs),
      stderr: tapped(mask.masking(), stream, 'stderr', partMs),
      end: () => stream.end(),
    };
  }

  retryNow(): void {
    for (const stream of this.#streams) stream.retryNow();
  }

  /** Resolves when every log of a task that has ended is delivered, or the signal aborts. */
  async flushed(over: AbortSignal): Promise<void> {
    const aborted = Promise.withResolvers<void>();
    over.addEventListener('abort', () => aborted.resolve(), { once: true });
    if (over.aborted) return;
    await Promise.race([Promise.all([...this.#streams].map((stream) => stream.done)), aborted.promise]);
  }

  /** Leaves what is not delivered to the next process. */
  async close(): Promise<void> {
    const open = [...this.#streams];
    for (const stream of open) stream.stop();
    await Promise.all(open.map((stream) => stream.done));
  }

  async #open({ id, logging }: Pick<AcquiredTask, 'id' | 'logging'>): Promise<LogStream | null> {
    const { folder, accountId, logger } = this.#parts;
    const target = { key: logKey(logging.abstractions), token: logging.token, writer: randomUUID() };
    if (target.token === '' || target.key === '') return null;
    if (this.#streams.size >= MOST_STREAMS) {
      logger.warn({ taskId: id }, `no live log for this task: ${MOST_STREAMS} logs wait for the log service`);
      return null;
    }
    const spool = await folder?.create({ accountId, taskId: id, ...target }).catch((error: unknown) => {
      logger.error({ taskId: id, err: error }, 'the log spool cannot be written: lines that find no room are dropped');
      return null;
    });
    return this.#follow(id, target, spool ?? null);
  }

  #resume(spool: SpoolFile): void {
    const { taskId, key, token, writer } = spool.header;
    const stream = this.#follow(taskId, { key, token, writer }, spool);
    if (!spool.state.ended) stream.line('sallyport', AFTER_A_RESTART);
    stream.end();
  }

  #follow(taskId: string, target: LogTarget, spool: SpoolFile | null): LogStream {
    const { service, timings, memoryBytes, logger } = this.#parts;
    const stream = new LogStream({
      ...{ service, target, spool, timings, memoryBytes, memory: this.#memory },
      logger: logger.child({ taskId }),
    });
    this.#streams.add(stream);
    void stream.done.then(() => this.#streams.delete(stream));
    return stream;
  }
}

/**
 * Masked output, which goes to the stream too. A line whose end does not come (`printf 'progress 10%'`) leaves in parts after
 * `partMs`; what may be the beginning of a secret is not among what the masking gives out.
 */
function tapped(masking: Masking, stream: LogStream, source: LineSource, partMs: number): Masking {
  let late: NodeJS.Timeout | undefined;
  // Of a fast output every chunk ends within a line, but within another one each time.
  const lines = new LineSplitter((text) => {
    clearTimeout(late);
    late = undefined;
    stream.line(source, text);
  });
  const flush = () => {
    late = undefined;
    lines.flush();
  };
  return {
    write: (chunk) => {
      const masked = masking.write(chunk);
      lines.write(masked);
      if (lines.pending) late ??= setTimeout(flush, partMs);
      return masked;
    },
    end: () => {
      const masked = masking.end();
      lines.write(masked);
      lines.end();
      clearTimeout(late);
      return masked;
    },
  };
}
