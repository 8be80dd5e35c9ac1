import type { Logger } from 'pino';
import type { TaskOutput } from '../logs/task-logs.ts';

/** Why a task is ended from outside before its handler is done; the reason of its signal. */
export class TaskInterruption extends Error {
  override readonly name = 'TaskInterruption';
  readonly kind: 'timeout' | 'abort' | 'stop';

  constructor(kind: TaskInterruption['kind'], message: string) {
    super(message);
    this.kind = kind;
  }
}

export interface TaskContext {
  readonly taskId: string;
  /** Aborted with a TaskInterruption; the handler ends soon after, and may still return what it has. */
  readonly signal: AbortSignal;
  readonly logger: Logger;
  /** Variables for the task's process; what is written to `output` is masked of their values. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Everything the task prints goes through here, on to its live log and back for its result. */
  readonly output: Pick<TaskOutput, 'stdout' | 'stderr'>;
}

export interface TaskOutcome {
  /** What the protocol says for this type of task; JSON. */
  readonly data: unknown;
  /** Why it failed; null when it succeeded. */
  readonly error: string | null;
}

/** Runs one type of task. What it throws becomes the task's error, so its messages are for whoever made the task. */
export interface TaskHandler {
  readonly type: string;
  /** Its tasks write to `output`, so that they get a live log. */
  readonly prints?: true;
  run(data: unknown, context: TaskContext): Promise<TaskOutcome>;
}

/** The types of task that this delegate can run. */
export class HandlerRegistry {
  readonly #handlers = new Map<string, TaskHandler>();

  constructor(handlers: readonly TaskHandler[]) {
    for (const handler of handlers) {
      if (this.#handlers.has(handler.type)) throw new TypeError(`Two handlers for the task type ${handler.type}.`);
      this.#handlers.set(handler.type, handler);
    }
  }

  get types(): string[] {
    return [...this.#handlers.keys()];
  }

  get(type: string): TaskHandler | null {
    return this.#handlers.get(type) ?? null;
  }
}
