import type { UpgradeAttempt, UpgradeOutcome } from '@sallyport/protocol';
import type { Kysely, Selectable } from 'kysely';
import type { Schema } from '../database/schema.ts';
import type { UpgradeAttemptRow } from '../database/upgrade-rows.ts';
import type { AccountTally } from './halting-rule.ts';

/** A delegate that was told to take a release, and what came of it. */
export interface Attempt {
  readonly releaseId: string;
  readonly accountId: string;
  readonly delegateName: string;
  readonly fromImage: string;
  readonly toImage: string;
  readonly offeredAt: number;
  /** When it was known to have taken it. */
  readonly takenAt: number | null;
  readonly outcome: UpgradeOutcome;
  readonly decidedAt: number | null;
}

export type AttemptKey = Pick<Attempt, 'releaseId' | 'accountId' | 'delegateName'>;

const SHOWN = 200;

export class AttemptStore {
  readonly #database: Kysely<Schema>;

  constructor(database: Kysely<Schema>) {
    this.#database = database;
  }

  async find({ releaseId, accountId, delegateName }: AttemptKey): Promise<Attempt | null> {
    const row = await this.#database
      .selectFrom('upgrade_attempts')
      .selectAll()
      .where('release_id', '=', releaseId)
      .where('account_id', '=', accountId)
      .where('delegate_name', '=', delegateName)
      .executeTakeFirst();
    return row === undefined ? null : fromRow(row);
  }

  /** Begins to watch, anew when an earlier attempt was decided. */
  async offer(key: AttemptKey, fromImage: string, toImage: string, now: number, judgeAt: number): Promise<void> {
    const columns = {
      from_image: fromImage,
      to_image: toImage,
      offered_at: now,
      taken_at: null,
      outcome: 'WAITING' as const,
      decided_at: null,
      judge_at: judgeAt,
    };
    await this.#database
      .insertInto('upgrade_attempts')
      .values({
        release_id: key.releaseId,
        account_id: key.accountId,
        delegate_name: key.delegateName,
        ...columns,
      })
      .onConflict((conflict) =>
        conflict
          .columns(['release_id', 'account_id', 'delegate_name'])
          .doUpdateSet(columns)
          .where('upgrade_attempts.outcome', '!=', 'WAITING'),
      )
      .execute();
  }

  /**
   * Its upgrader says that it has the image now: from here on it has the time to come back. Also when it was thought that
   * it does not take it: some upgraders say so at their next run only.
   */
  async taken({ releaseId, accountId, delegateName }: AttemptKey, now: number, judgeAt: number): Promise<void> {
    await this.#database
      .updateTable('upgrade_attempts')
      .set({ taken_at: now, judge_at: judgeAt, outcome: 'WAITING', decided_at: null })
      .where('release_id', '=', releaseId)
      .where('account_id', '=', accountId)
      .where('delegate_name', '=', delegateName)
      .where('outcome', 'in', ['WAITING', 'NOT_TAKEN'])
      .where('taken_at', 'is', null)
      .execute();
  }

  /** Those whose time is over, oldest first. */
  async due(now: number, limit: number): Promise<Attempt[]> {
    const rows = await this.#database
      .selectFrom('upgrade_attempts')
      .selectAll()
      .where('outcome', '=', 'WAITING')
      .where('judge_at', '<=', now)
      .orderBy('judge_at')
      .limit(limit)
      .execute();
    return rows.map(fromRow);
  }

  /** True when this call decided it: of two replicas that judge, one does. */
  async decide(
    { releaseId, accountId, delegateName }: AttemptKey,
    outcome: UpgradeOutcome,
    now: number,
  ): Promise<boolean> {
    const result = await this.#database
      .updateTable('upgrade_attempts')
      .set({ outcome, decided_at: now })
      .where('release_id', '=', releaseId)
      .where('account_id', '=', accountId)
      .where('delegate_name', '=', delegateName)
      .where('outcome', '=', 'WAITING')
      .executeTakeFirst();
    return result.numUpdatedRows > 0n;
  }

  /** By account, or of one. What was decided before `since` is left out. */
  async tallies(releaseId: string, since: number, accountId?: string): Promise<AccountTally[]> {
    const rows = await this.#database
      .selectFrom('upgrade_attempts')
      .select(['account_id', 'outcome'])
      .select(({ fn }) => [fn.countAll().as('count'), fn.count('taken_at').as('taken')])
      .where('release_id', '=', releaseId)
      .$if(accountId !== undefined, (query) => query.where('account_id', '=', accountId ?? ''))
      .where((where) => where.or([where('decided_at', 'is', null), where('decided_at', '>=', since)]))
      .groupBy(['account_id', 'outcome'])
      .execute();
    return [...Map.groupBy(rows, (row) => row.account_id)].map(([id, own]) => {
      const of = (...outcomes: UpgradeOutcome[]) => own.filter((row) => outcomes.includes(row.outcome));
      return {
        accountId: id,
        offered: sum(own.map((row) => row.count)),
        waiting: sum(of('WAITING').map((row) => row.count)),
        taken: sum(of('WAITING').map((row) => row.taken)),
        healthy: sum(of('HEALTHY').map((row) => row.count)),
        failed: sum(of('UNHEALTHY', 'NOT_BACK').map((row) => row.count)),
      };
    });
  }

  /** When the next of those that took the release is judged; null when none is waiting for that. */
  async nextJudgedAt(releaseId: string): Promise<number | null> {
    const { at } = await this.#database
      .selectFrom('upgrade_attempts')
      .select(({ fn }) => fn.min('judge_at').as('at'))
      .where('release_id', '=', releaseId)
      .where('outcome', '=', 'WAITING')
      .where('taken_at', 'is not', null)
      .executeTakeFirstOrThrow();
    return at === null ? null : Number(at);
  }

  /** Names of an account's delegates that were told to take the release. */
  async told(releaseId: string, accountId: string): Promise<ReadonlySet<string>> {
    const rows = await this.#database
      .selectFrom('upgrade_attempts')
      .select('delegate_name')
      .where('release_id', '=', releaseId)
      .where('account_id', '=', accountId)
      .execute();
    return new Set(rows.map((row) => row.delegate_name));
  }

  /** The latest first. */
  async ofAccount(accountId: string): Promise<UpgradeAttempt[]> {
    const rows = await this.#database
      .selectFrom('upgrade_attempts')
      .selectAll()
      .where('account_id', '=', accountId)
      .orderBy('offered_at', 'desc')
      .orderBy('delegate_name')
      .limit(SHOWN)
      .execute();
    return rows.map(fromRow).map(({ delegateName, fromImage, toImage, offeredAt, takenAt, outcome }) => ({
      delegate: delegateName,
      from: fromImage,
      to: toImage,
      offeredAt,
      takenAt,
      outcome,
    }));
  }
}

/** An upgrade that took the delegate away. */
export function hasFailed({ outcome }: Pick<Attempt, 'outcome'>): boolean {
  return outcome === 'UNHEALTHY' || outcome === 'NOT_BACK';
}

// PostgreSQL counts in texts.
const sum = (counts: readonly (number | string | bigint)[]): number =>
  counts.reduce<number>((total, count) => total + Number(count), 0);

function fromRow(row: Selectable<UpgradeAttemptRow>): Attempt {
  return {
    releaseId: row.release_id,
    accountId: row.account_id,
    delegateName: row.delegate_name,
    fromImage: row.from_image,
    toImage: row.to_image,
    offeredAt: row.offered_at,
    takenAt: row.taken_at,
    outcome: row.outcome,
    decidedAt: row.decided_at,
  };
}
