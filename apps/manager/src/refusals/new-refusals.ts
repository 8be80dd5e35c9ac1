import type { Transaction } from 'kysely';
import type { RefusalRow, Schema } from '../database/schema.ts';
import { accountsListening } from '../webhooks/webhook-store.ts';

/** New groups of an account that wait to be told: as many as it keeps. */
const MOST_WAITING = 500;

/** Notes those of the rows that are new, for accounts that want to know; before they are written. */
export async function noteNewRefusals(transaction: Transaction<Schema>, rows: readonly RefusalRow[]): Promise<void> {
  const accounts = [...new Set(rows.flatMap(({ account_id }) => account_id ?? []))];
  const listening = await accountsListening(transaction, accounts, 'refusal.new');
  for (const accountId of [...listening].sort()) {
    const ids = rows.filter(({ account_id }) => account_id === accountId).map(({ id }) => id);
    const known = await transaction
      .selectFrom('refusals')
      .select('id')
      .where('account_id', '=', accountId)
      .where('id', 'in', ids)
      .execute();
    const knownIds = new Set(known.map(({ id }) => id));
    const { waiting } = await transaction
      .selectFrom('refusal_news')
      .select((news) => news.fn.countAll<number>().as('waiting'))
      .where('account_id', '=', accountId)
      .executeTakeFirstOrThrow();
    const fresh = ids.filter((id) => !knownIds.has(id)).slice(0, Math.max(MOST_WAITING - Number(waiting), 0));
    if (fresh.length === 0) continue;
    await transaction
      .insertInto('refusal_news')
      .values(fresh.map((refusal_id) => ({ account_id: accountId, refusal_id })))
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}
