import type { TaskEvent } from '@sallyport/protocol';
import type { Logger } from 'pino';
import type { Bus } from '../bus/bus.ts';
import type { Presence, PresentDelegate } from '../delegates/presence.ts';
import { accepts } from './eligibility.ts';
import type { ListedTask, TaskStore } from './task-store.ts';

/** A task that its first choice did not take is offered again, to any eligible delegate, this often. */
const OFFER_AGAIN_EVERY_MS = 2_000;
/** Tasks of one account that a sweep looks at, the oldest first. */
const SWEPT_PER_ACCOUNT = 50;
/** Tasks that are looked through for a delegate which connects or polls, and how many of them it is offered at once. */
const LOOKED_THROUGH = 2_000;
const OFFERED_AT_ONCE = 100;

/**
 * Offers queued tasks to delegates that are connected to this replica: each task to one delegate at a time, so that a
 * task for ten thousand equal delegates is not ten thousand messages. An offer binds nobody; acquiring does.
 */
export class TaskDispatcher {
  readonly #store: TaskStore;
  readonly #presence: Presence;
  readonly #logger: Logger;
  readonly #random: () => number;
  readonly #unsubscribe: (() => void)[];
  readonly #timer: NodeJS.Timeout;
  #sweeping = false;

  constructor(store: TaskStore, presence: Presence, bus: Bus, logger: Logger, random: () => number = Math.random) {
    this.#store = store;
    this.#presence = presence;
    this.#logger = logger;
    this.#random = random;
    this.#unsubscribe = [
      bus.subscribe('task-queued', async ({ accountId, taskId }) => {
        const task = await store.find(accountId, taskId);
        if (task?.status === 'QUEUED') this.#offer(task);
      }),
      bus.subscribe('task-aborted', async ({ accountId, taskId }) => {
        const task = await store.find(accountId, taskId);
        if (task?.delegateId) presence.send(accountId, task.delegateId, [eventOf(task, 'DelegateTaskAbortEvent')]);
      }),
    ];
    this.#timer = setInterval(() => void this.#sweep(), OFFER_AGAIN_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  /** Queued tasks that this delegate may take, for one that just connected or polls. */
  async eventsFor(delegate: PresentDelegate): Promise<TaskEvent[]> {
    const tasks = await this.#store.queued([delegate.accountId], LOOKED_THROUGH);
    return tasks
      .filter((task) => accepts(delegate, task))
      .slice(0, OFFERED_AT_ONCE)
      .map((task) => eventOf(task, 'DelegateTaskEvent'));
  }

  #offer(task: ListedTask): void {
    const willing = this.#presence
      .ofAccount(task.accountIdentifier)
      .filter((delegate) => delegate.capacity !== 0 && accepts(delegate, task));
    const reachable = willing.filter((delegate) => delegate.sink !== null);
    const candidates = reachable.length > 0 ? reachable : willing;
    const chosen = candidates[Math.floor(this.#random() * candidates.length)];
    if (chosen !== undefined)
      this.#presence.send(task.accountIdentifier, chosen.id, [eventOf(task, 'DelegateTaskEvent')]);
  }

  async #sweep(): Promise<void> {
    if (this.#sweeping) return;
    this.#sweeping = true;
    try {
      for (const task of await this.#store.queued(this.#presence.accountIds(), SWEPT_PER_ACCOUNT)) this.#offer(task);
    } catch (error) {
      this.#logger.error({ err: error }, 'queued tasks were not offered; trying again');
    } finally {
      this.#sweeping = false;
    }
  }
}

function eventOf(task: ListedTask, eventType: TaskEvent['eventType']): TaskEvent {
  return { accountId: task.accountIdentifier, delegateTaskId: task.id, sync: false, taskType: task.type, eventType };
}
