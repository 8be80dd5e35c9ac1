import type { TaskDetails, TaskSummary } from '@sallyport/protocol';
import { TaskStatus } from '@sallyport/protocol/schemas';
import { type Kysely, type Selectable, sql, type Transaction } from 'kysely';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import type { Schema, TaskRow } from '../database/schema.ts';

export interface Task extends TaskDetails {
  /** When a task that is still queued or running has run out of time. */
  readonly expiresAt: number;
}

/**
 * A task without its data and result. Whatever reads many tasks reads these: a few hundred tasks with their results are
 * gigabytes, and would stall every other account.
 */
export interface ListedTask extends TaskSummary {
  readonly expiresAt: number;
}

const LISTED = [
  'tasks.id',
  'tasks.account_id',
  'tasks.type',
  'tasks.selectors',
  'tasks.timeout_ms',
  'tasks.status',
  'tasks.delegate_id',
  'tasks.created_at',
  'tasks.expires_at',
  'tasks.started_at',
  'tasks.finished_at',
  'tasks.error',
] as const;

export interface Outcome {
  readonly status: 'SUCCEEDED' | 'FAILED' | 'ABORTED' | 'EXPIRED';
  readonly result: unknown;
  readonly error: string | null;
}

const Strings = Type.Array(Type.String());

export class TaskStore {
  readonly #database: Kysely<Schema>;

  constructor(database: Kysely<Schema>) {
    this.#database = database;
  }

  /** `sealedSecrets`: what only the delegate that acquires the task is to read. */
  async insert(transaction: Transaction<Schema>, task: Task, sealedSecrets: string | null): Promise<void> {
    await transaction
      .insertInto('tasks')
      .values({
        id: task.id,
        account_id: task.accountIdentifier,
        type: task.type,
        data: JSON.stringify(task.data),
        selectors: JSON.stringify(task.selectors),
        timeout_ms: task.timeout,
        status: task.status,
        delegate_id: null,
        created_at: task.createdAt,
        expires_at: task.expiresAt,
        started_at: null,
        finished_at: null,
        result: null,
        error: null,
      })
      .execute();
    if (sealedSecrets === null) return;
    await transaction.insertInto('task_secrets').values({ task_id: task.id, sealed: sealedSecrets }).execute();
  }

  async sealedSecrets(taskId: string): Promise<string | null> {
    const query = this.#database.selectFrom('task_secrets').select('sealed').where('task_id', '=', taskId);
    return (await query.executeTakeFirst())?.sealed ?? null;
  }

  async find(accountId: string, id: string): Promise<Task | null> {
    const row = await this.#select()
      .selectAll('tasks')
      .where('tasks.id', '=', id)
      .where('tasks.account_id', '=', accountId)
      .executeTakeFirst();
    return row === undefined ? null : fromRow(row);
  }

  /** Newest first; `before` continues below that task. */
  async list(accountId: string, filter: { status?: TaskStatus; before?: Task; limit: number }): Promise<ListedTask[]> {
    let query = this.#select().select(LISTED).where('tasks.account_id', '=', accountId);
    const { status, before } = filter;
    if (status !== undefined) query = query.where('tasks.status', '=', status);
    if (before !== undefined) {
      query = query.where((where) =>
        where.or([
          where('tasks.created_at', '<', before.createdAt),
          where.and([where('tasks.created_at', '=', before.createdAt), where('tasks.id', '<', before.id)]),
        ]),
      );
    }
    const rows = await query
      .orderBy('tasks.created_at', 'desc')
      .orderBy('tasks.id', 'desc')
      .limit(filter.limit)
      .execute();
    return rows.map(listed);
  }

  /** Tasks that wait for a delegate: the oldest of each account, so that one account's heap hides nobody else's. */
  async queued(accountIds: readonly string[], perAccount: number): Promise<ListedTask[]> {
    if (accountIds.length === 0) return [];
    const rows = await this.#database
      .with('ranked', (database) =>
        database
          .selectFrom('tasks')
          .select(LISTED)
          .select(sql<number>`row_number() over (partition by account_id order by created_at, id)`.as('position'))
          .where('status', '=', 'QUEUED')
          .where('account_id', 'in', accountIds),
      )
      .selectFrom('ranked')
      .selectAll()
      .where('position', '<=', perAccount)
      .orderBy('created_at')
      .execute();
    return rows.map((row) => listed({ ...row, delegate_name: null }));
  }

  /** One delegate gets it: true for the first only. */
  async acquire(accountId: string, id: string, delegateId: string, now: number): Promise<boolean> {
    const result = await this.#database
      .updateTable('tasks')
      .set({ status: 'RUNNING', delegate_id: delegateId, started_at: now })
      .where('id', '=', id)
      .where('account_id', '=', accountId)
      .where('status', '=', 'QUEUED')
      .where('expires_at', '>', now)
      .executeTakeFirst();
    return result.numUpdatedRows > 0n;
  }

  /**
   * Ends a task that has not ended, and forgets its secrets; with `delegateId`, only when that delegate holds it. True when
   * it did end it.
   */
  async finish(
    transaction: Transaction<Schema>,
    task: { readonly id: string; readonly accountId: string; readonly delegateId?: string },
    outcome: Outcome,
    now: number,
  ): Promise<boolean> {
    let update = transaction
      .updateTable('tasks')
      .set({
        status: outcome.status,
        result: outcome.result === null || outcome.result === undefined ? null : JSON.stringify(outcome.result),
        error: outcome.error,
        finished_at: now,
      })
      .where('id', '=', task.id)
      .where('account_id', '=', task.accountId)
      .where('status', 'in', ['QUEUED', 'RUNNING']);
    if (task.delegateId !== undefined) update = update.where('delegate_id', '=', task.delegateId);
    const ended = (await update.executeTakeFirst()).numUpdatedRows > 0n;
    if (ended) await transaction.deleteFrom('task_secrets').where('task_id', '=', task.id).execute();
    return ended;
  }

  /** Tasks that are queued or running past their time; `running` ones get `graceMs` for their delegate's own report. */
  async overdue(now: number, graceMs: number, limit: number): Promise<ListedTask[]> {
    const rows = await this.#select()
      .select(LISTED)
      .where((where) =>
        where.or([
          where.and([where('tasks.status', '=', 'QUEUED'), where('tasks.expires_at', '<=', now)]),
          where.and([where('tasks.status', '=', 'RUNNING'), where('tasks.expires_at', '<=', now - graceMs)]),
        ]),
      )
      .limit(limit)
      .execute();
    return rows.map(listed);
  }

  /** Running tasks whose delegate is held by no replica since `before`, or is deleted. */
  async abandoned(before: number, limit: number): Promise<ListedTask[]> {
    const rows = await this.#select()
      .select(LISTED)
      .where('tasks.status', '=', 'RUNNING')
      .where((where) =>
        where.or([
          where('delegates.id', 'is', null),
          where.and([where('delegates.replica_id', 'is', null), where('delegates.disconnected_at', '<', before)]),
        ]),
      )
      .limit(limit)
      .execute();
    return rows.map(listed);
  }

  /** Removes tasks that ended before the moment; returns how many, at most `limit`. */
  async forgetFinished(before: number, limit: number): Promise<number> {
    const { numDeletedRows } = await this.#database
      .deleteFrom('tasks')
      .where('id', 'in', (old) => old.selectFrom('tasks').select('id').where('finished_at', '<', before).limit(limit))
      .executeTakeFirst();
    return Number(numDeletedRows);
  }

  /** Running tasks that this delegate holds. */
  async heldBy(accountId: string, delegateId: string): Promise<ListedTask[]> {
    const rows = await this.#select()
      .select(LISTED)
      .where('tasks.account_id', '=', accountId)
      .where('tasks.delegate_id', '=', delegateId)
      .where('tasks.status', '=', 'RUNNING')
      .execute();
    return rows.map(listed);
  }

  #select() {
    return this.#database
      .selectFrom('tasks')
      .leftJoin('delegates', 'delegates.id', 'tasks.delegate_id')
      .select('delegates.name as delegate_name');
  }
}

type ListedRow = Omit<Selectable<TaskRow>, 'data' | 'result'> & { delegate_name: string | null };

function fromRow(row: Selectable<TaskRow> & { delegate_name: string | null }): Task {
  return {
    ...listed(row),
    data: JSON.parse(row.data) as unknown,
    result: row.result === null ? null : (JSON.parse(row.result) as unknown),
  };
}

function listed(row: ListedRow): ListedTask {
  return {
    id: row.id,
    accountIdentifier: row.account_id,
    type: row.type,
    selectors: Value.Parse(Strings, JSON.parse(row.selectors)),
    timeout: row.timeout_ms,
    status: Value.Parse(TaskStatus, row.status),
    delegateId: row.delegate_id,
    delegateName: row.delegate_name,
    createdAt: row.created_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    error: row.error,
    expiresAt: row.expires_at,
  };
}
