import { randomUUID } from 'node:crypto';
import {
  type AcquiredTask,
  type CreateTaskRequest,
  DEFAULT_TASK_TIMEOUT_MS,
  HTTP_TASK,
  SallyportError,
  SHELL_TASK,
  type TaskStatus,
  taskLogAbstractions,
} from '@sallyport/protocol';
import { HttpTaskData, ShellTaskData } from '@sallyport/protocol/schemas';
import type { Logger } from 'pino';
import { Value } from 'typebox/value';
import type { Bus } from '../bus/bus.ts';
import type { Clock } from '../clock.ts';
import type { DelegateStore } from '../delegates/delegate-store.ts';
import { Tally } from '../metrics/tally.ts';
import { accepts } from './eligibility.ts';
import type { TaskSecrets } from './task-secrets.ts';
import type { ListedTask, Outcome, Task, TaskStore } from './task-store.ts';

const SWEEP_EVERY_MS = 1_000;
/** A delegate stops a task itself when its time is over; this is how long its report may take to arrive. */
const REPORT_GRACE_MS = 30_000;
const BATCH = 200;
/** Often enough for a busy control plane's tasks, BATCH of them each time, until none is left. */
const FORGET_EVERY_MS = 60_000;
const PAYLOADS = { [SHELL_TASK]: ShellTaskData, [HTTP_TASK]: HttpTaskData };

export interface TaskServiceParts {
  readonly store: TaskStore;
  readonly secrets: TaskSecrets;
  readonly delegates: DelegateStore;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly delegateLostAfterMs: number;
  /** How long a task is kept once it has ended. */
  readonly keptForMs: number;
  /** A token for the logs of the task, for the delegate that takes it. */
  readonly logToken: (accountId: string, taskId: string, delegate: { id: string; tokenId: string }) => Promise<string>;
}

/** What a delegate reports, both status forms made alike. */
export interface Report {
  readonly failed: boolean;
  readonly result: unknown;
  readonly error: string | null;
}

/** Tasks from creation to their end. Every state is in the database before anybody hears of it. */
export class TaskService {
  readonly #parts: TaskServiceParts;
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #unsubscribe: (() => void)[];
  readonly #timer: NodeJS.Timeout;
  /** Tasks that this process took in (QUEUED) and ended, by their status then. */
  readonly counts = new Tally<TaskStatus>();
  #sweeping = false;
  #forgetFrom = 0;

  constructor(parts: TaskServiceParts) {
    this.#parts = parts;
    this.#unsubscribe = [
      parts.bus.subscribe('task-finished', ({ taskId }) => {
        for (const wake of this.#waiting.get(taskId) ?? []) wake();
      }),
      parts.bus.subscribe('resync', () => this.#wakeAll()),
    ];
    this.#timer = setInterval(() => void this.#sweep(), SWEEP_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#wakeAll();
  }

  /** When it returns, the task survives anything that happens to this process. */
  async create(accountId: string, request: CreateTaskRequest): Promise<Task> {
    checkPayload(request);
    const now = this.#now();
    const timeout = request.timeout ?? DEFAULT_TASK_TIMEOUT_MS;
    const task: Task = {
      id: randomUUID(),
      accountIdentifier: accountId,
      type: request.type,
      data: request.data,
      selectors: request.selectors ?? [],
      timeout,
      status: 'QUEUED',
      delegateId: null,
      delegateName: null,
      createdAt: now,
      startedAt: null,
      finishedAt: null,
      result: null,
      error: null,
      expiresAt: now + timeout,
    };
    const { bus, secrets, store } = this.#parts;
    const sealed = secrets.seal(request, { accountId, taskId: task.id });
    await bus.commit({ type: 'task-queued', accountId, taskId: task.id }, (transaction) =>
      store.insert(transaction, task, sealed),
    );
    this.counts.add('QUEUED');
    return task;
  }

  async get(accountId: string, id: string): Promise<Task> {
    const task = await this.#parts.store.find(accountId, id);
    if (task === null)
      throw new SallyportError('ENTITY_NOT_FOUND', `Task '${id}' was not found in account '${accountId}'.`);
    return task;
  }

  /** The task once it has ended, or as it is when `waitMs` is over or its end may have been missed. */
  async getWhenFinished(accountId: string, id: string, waitMs: number, signal: AbortSignal): Promise<Task> {
    let over: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => {
      over = resolve;
    });
    const waiters = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiters.add(over));
    const timer = setTimeout(over, waitMs);
    signal.addEventListener('abort', over);
    try {
      // Read after registering: an end in between is then either read here or heard of.
      const task = await this.get(accountId, id);
      if (task.finishedAt !== null) return task;
      await ended;
      return await this.get(accountId, id);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', over);
      waiters.delete(over);
      if (waiters.size === 0) this.#waiting.delete(id);
    }
  }

  async list(
    accountId: string,
    filter: { status?: TaskStatus; before?: string; limit: number },
  ): Promise<ListedTask[]> {
    const { before: beforeId, ...rest } = filter;
    const before = beforeId === undefined ? {} : { before: await this.get(accountId, beforeId) };
    return this.#parts.store.list(accountId, { ...rest, ...before });
  }

  async abort(accountId: string, id: string): Promise<Task> {
    const task = await this.get(accountId, id);
    if (task.finishedAt !== null)
      throw new SallyportError('CONFLICT', `Task '${id}' has ended already (${task.status}).`);
    const aborted = await this.#finish(task, { status: 'ABORTED', result: null, error: 'aborted by request' });
    const after = await this.get(accountId, id);
    if (!aborted) throw new SallyportError('CONFLICT', `Task '${id}' has ended in the same moment (${after.status}).`);
    // By what is stored now: a delegate may have taken it since it was read as queued.
    if (after.delegateId !== null) {
      await this.#parts.bus.commit({ type: 'task-aborted', accountId, taskId: id }, async () => undefined);
    }
    return after;
  }

  /**
   * Gives the task to the delegate. The same delegate may ask again, its first answer may have been lost; a different
   * one gets CONFLICT. `tokenId`: the delegate token that it came with.
   */
  async acquire(accountId: string, delegateId: string, tokenId: string, id: string): Promise<AcquiredTask> {
    const { store, delegates, logToken } = this.#parts;
    const delegate = await delegates.find(accountId, delegateId);
    if (delegate === null)
      throw new SallyportError('DELEGATE_NOT_REGISTERED', `Delegate '${delegateId}' is not registered.`);
    const before = await this.get(accountId, id);
    // A delegate that was taken over could otherwise collect the work, and the secrets, meant for others.
    if (!accepts(delegate, before)) throw new SallyportError('ACCESS_DENIED', `Task '${id}' is not for this delegate.`);
    const now = this.#now();
    const taken = await store.acquire(accountId, id, delegateId, now);
    const task = taken ? before : await this.get(accountId, id);
    if (!taken && (task.status !== 'RUNNING' || task.delegateId !== delegateId)) {
      throw new SallyportError('CONFLICT', `Task '${id}' is not to be had: it is ${task.status}.`);
    }
    const sealed = await store.sealedSecrets(id);
    return {
      id,
      type: task.type,
      data: task.data,
      async: true,
      timeout: Math.max(1, task.expiresAt - now),
      ...(sealed === null ? {} : { secrets: this.#parts.secrets.open(sealed, { accountId, taskId: id }) }),
      logging: {
        token: await logToken(accountId, id, { id: delegateId, tokenId }),
        abstractions: taskLogAbstractions(id),
      },
      delegate: { id: delegateId, instance_id: delegateId, token: '' },
      capabilities: [],
    };
  }

  /** When it returns, the result is stored. A report for a task that has ended already, or was never this delegate's, changes nothing. */
  async report(accountId: string, delegateId: string, id: string, report: Report): Promise<void> {
    const outcome: Outcome = {
      status: report.failed ? 'FAILED' : 'SUCCEEDED',
      result: report.result,
      error: report.failed ? (report.error ?? 'the delegate reported a failure without a reason') : null,
    };
    await this.#finish({ id, accountIdentifier: accountId, delegateId }, outcome);
  }

  /** A process that ended takes its running tasks along: its successor knows nothing of them. */
  async delegateRestarted(accountId: string, delegateId: string): Promise<void> {
    for (const task of await this.#parts.store.heldBy(accountId, delegateId)) {
      const error = `its delegate '${task.delegateName ?? delegateId}' restarted`;
      await this.#finish(task, { status: 'FAILED', result: null, error });
    }
  }

  async #finish(
    task: Pick<Task, 'id' | 'accountIdentifier'> & { delegateId: string | null },
    outcome: Outcome,
  ): Promise<boolean> {
    const { id, accountIdentifier: accountId, delegateId } = task;
    const target = { id, accountId, ...(delegateId === null ? {} : { delegateId }) };
    const finished = await this.#parts.bus.commit({ type: 'task-finished', accountId, taskId: id }, (transaction) =>
      this.#parts.store.finish(transaction, target, outcome, this.#now()),
    );
    if (finished) this.counts.add(outcome.status);
    return finished;
  }

  async #sweep(): Promise<void> {
    if (this.#sweeping) return;
    this.#sweeping = true;
    const { store, logger, delegateLostAfterMs, keptForMs } = this.#parts;
    const now = this.#now();
    try {
      for (const task of await store.overdue(now, REPORT_GRACE_MS, BATCH)) {
        const waited = `${Math.round(task.timeout / 1000)} s`;
        await this.#finish(
          task,
          task.status === 'QUEUED'
            ? { status: 'EXPIRED', result: null, error: `no delegate took it within ${waited}${wanted(task)}` }
            : {
                status: 'FAILED',
                result: null,
                error: `its time of ${waited} is over and delegate '${task.delegateName}' has not reported`,
              },
        );
      }
      for (const task of await store.abandoned(now - delegateLostAfterMs, BATCH)) {
        const error = `its delegate '${task.delegateName ?? task.delegateId}' is lost: no connection for ${delegateLostAfterMs / 1000} s`;
        await this.#finish(task, { status: 'FAILED', result: null, error });
      }
      if (now >= this.#forgetFrom && (await store.forgetFinished(now - keptForMs, BATCH)) < BATCH)
        this.#forgetFrom = now + FORGET_EVERY_MS;
    } catch (error) {
      logger.error({ err: error }, 'overdue tasks were not ended; trying again');
    } finally {
      this.#sweeping = false;
    }
  }

  /** Whoever waits for a task's end looks at it again. */
  #wakeAll(): void {
    for (const waiters of this.#waiting.values()) for (const wake of waiters) wake();
  }

  #now(): number {
    return this.#parts.clock.now().getTime();
  }
}

function wanted(task: ListedTask): string {
  return task.selectors.length === 0
    ? ''
    : ` (it asks for ${task.selectors.map((selector) => `"${selector}"`).join(' and ')})`;
}

function checkPayload(request: CreateTaskRequest): void {
  const schema = request.type in PAYLOADS ? PAYLOADS[request.type as keyof typeof PAYLOADS] : null;
  if (schema === null || Value.Check(schema, request.data)) return;
  const [first] = Value.Errors(schema, request.data);
  const where = first === undefined ? '' : ` at data${first.instancePath.replaceAll('/', '.')}: ${first.message}`;
  throw new SallyportError('INVALID_REQUEST', `The data of a ${request.type} task does not fit${where}.`, {
    remedy: request.type === SHELL_TASK ? 'Send { "script": "..." }.' : 'Send { "url": "https://..." }.',
  });
}
