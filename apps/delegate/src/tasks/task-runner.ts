import { setTimeout as delay } from 'node:timers/promises';
import { Backoff } from '@sallyport/client';
import type { AcquiredTask, TaskEvent, TaskResponse } from '@sallyport/protocol';
import type { Logger } from 'pino';
import type { Metrics } from '../health/metrics.ts';
import type { TaskOutput } from '../logs/task-logs.ts';
import type { ResultReporter } from './result-reporter.ts';
import { type HandlerRegistry, TaskInterruption, type TaskOutcome } from './task-handler.ts';

export interface RunnerParts {
  /** Null when the task is not to be had. */
  readonly acquire: (delegateId: string, taskId: string) => Promise<AcquiredTask | null>;
  readonly handlers: HandlerRegistry;
  /** Where a task's output goes. */
  readonly outputOf: (task: AcquiredTask, prints: boolean) => Promise<TaskOutput>;
  readonly reporter: ResultReporter;
  readonly metrics: Metrics;
  readonly concurrency: number;
  readonly retryBaseMs: number;
  readonly retryMaxMs: number;
  readonly logger: Logger;
}

/** The protocol's limit for an error text. */
const LONGEST_ERROR = 65_536;

/** Takes offered tasks as far as there is room, runs them, and hands each result to the reporter. */
export class TaskRunner {
  readonly #parts: RunnerParts;
  readonly #running = new Map<string, { readonly interruption: AbortController; readonly done: Promise<void> }>();
  #draining = false;

  constructor(parts: RunnerParts) {
    this.#parts = parts;
  }

  /** Tasks being acquired or run. */
  get running(): number {
    return this.#running.size;
  }

  /** Acts on events of the manager. False when none of them could be acted on now. */
  handle(delegateId: string, events: readonly TaskEvent[]): boolean {
    let acted = false;
    for (const { eventType, delegateTaskId, taskType } of events) {
      const did =
        eventType === 'DelegateTaskAbortEvent'
          ? this.#abort(delegateTaskId)
          : this.#take(delegateId, delegateTaskId, taskType);
      acted ||= did;
    }
    return acted;
  }

  /** From now on no task is taken; the manager offers them to others. */
  drain(): void {
    this.#draining = true;
  }

  /** Resolves when nothing runs, or after `withinMs`; true in the first case. */
  async idle(withinMs: number): Promise<boolean> {
    const over = new AbortController();
    const timeout = delay(withinMs, undefined, { signal: over.signal }).catch(() => undefined);
    await Promise.race([Promise.all([...this.#running.values()].map((task) => task.done)), timeout]);
    over.abort();
    return this.#running.size === 0;
  }

  /** Ends what runs; each still gets its result, saying why. */
  interruptAll(message: string): void {
    for (const { interruption } of this.#running.values()) interruption.abort(new TaskInterruption('stop', message));
  }

  #abort(taskId: string): boolean {
    const task = this.#running.get(taskId);
    task?.interruption.abort(new TaskInterruption('abort', 'The task was aborted by request.'));
    return task !== undefined;
  }

  /** Offers come again and again until somebody takes the task, so that what is not taken now is not lost. */
  #take(delegateId: string, taskId: string, type: string): boolean {
    const { handlers, reporter, concurrency, metrics, logger } = this.#parts;
    if (this.#running.has(taskId) || reporter.has(taskId)) return false;
    if (this.#draining || handlers.get(type) === null) return false;
    if (this.#running.size >= concurrency) {
      metrics.rejected.inc();
      logger.debug({ taskId, concurrency }, 'no room for a task');
      return false;
    }
    const interruption = new AbortController();
    const done = this.#process(delegateId, taskId, interruption)
      .catch((error: unknown) => logger.error({ taskId, err: error }, 'a fault while handling a task'))
      .finally(() => this.#running.delete(taskId));
    this.#running.set(taskId, { interruption, done });
    return true;
  }

  async #process(delegateId: string, taskId: string, interruption: AbortController): Promise<void> {
    const task = await this.#acquire(delegateId, taskId, interruption.signal);
    if (task === null) return;
    const { reporter, logger, metrics } = this.#parts;
    logger.info({ taskId, type: task.type, timeoutMs: task.timeout }, 'task started');
    metrics.executing.inc();
    const startedAt = performance.now();
    const { data, error } = await this.#run(task, interruption);
    const seconds = (performance.now() - startedAt) / 1000;
    metrics.executing.dec();
    metrics.executionTime.observe(seconds);
    (error === null ? metrics.completed : metrics.failed).inc();
    if (isTimeout(interruption.signal)) metrics.timeouts.inc();
    logger.info({ taskId, seconds: Number(seconds.toFixed(3)), ...(error === null ? {} : { error }) }, 'task ended');
    const response: TaskResponse = {
      id: taskId,
      type: task.type,
      code: error === null ? 'OK' : 'FAILED',
      data,
      ...(error === null ? {} : { error: error.slice(0, LONGEST_ERROR) }),
    };
    reporter.report(delegateId, taskId, response);
  }

  /**
   * Asks until there is an answer: when an answer is lost the task may already be this delegate's, and nobody else would
   * run it.
   */
  async #acquire(delegateId: string, taskId: string, signal: AbortSignal): Promise<AcquiredTask | null> {
    const { acquire, retryBaseMs, retryMaxMs, logger } = this.#parts;
    const backoff = new Backoff({ baseMs: retryBaseMs, maxMs: retryMaxMs });
    while (!signal.aborted) {
      try {
        const task = await acquire(delegateId, taskId);
        if (task === null) logger.debug({ taskId }, 'the task is not to be had');
        return task;
      } catch (error) {
        logger.warn({ taskId, err: error }, 'a task could not be acquired; trying again');
        await delay(backoff.next(), undefined, { signal }).catch(() => undefined);
      }
    }
    return null;
  }

  async #run(task: AcquiredTask, interruption: AbortController): Promise<TaskOutcome> {
    const { handlers, outputOf, logger } = this.#parts;
    const handler = handlers.get(task.type);
    if (handler === null) return { data: null, error: `This delegate cannot run tasks of type ${task.type}.` };
    const output = await outputOf(task, handler.prints === true);
    const timer = setTimeout(() => {
      interruption.abort(
        new TaskInterruption('timeout', `The task was ended after its time limit of ${task.timeout} ms.`),
      );
    }, task.timeout);
    try {
      return await handler.run(task.data, {
        taskId: task.id,
        signal: interruption.signal,
        logger: logger.child({ taskId: task.id }),
        secrets: task.secrets ?? {},
        output,
      });
    } catch (error) {
      return { data: null, error: error instanceof Error ? error.message : String(error) };
    } finally {
      clearTimeout(timer);
      output.end();
    }
  }
}

function isTimeout(signal: AbortSignal): boolean {
  return signal.reason instanceof TaskInterruption && signal.reason.kind === 'timeout';
}
