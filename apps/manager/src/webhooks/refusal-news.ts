import type { Refusal } from '@sallyport/protocol';
import { RefusalStore } from '../refusals/refusal-store.ts';
import { ACCOUNTS_AT_ONCE, type News } from './teller.ts';

const MOST_SHOWN = 20;

/** Tells of causes and clients that the account's refusals did not have before. */
export const refusalNews: News = {
  type: 'refusal.new',

  async waiting(database, _now, justTold) {
    const rows = await database
      .selectFrom('refusal_news')
      .select('account_id')
      .distinct()
      .where('account_id', 'not in', justTold)
      .limit(ACCOUNTS_AT_ONCE)
      .execute();
    return rows.map(({ account_id }) => account_id);
  },

  async take(transaction, accountId) {
    const news = await transaction
      .deleteFrom('refusal_news')
      .where('account_id', '=', accountId)
      .returning('refusal_id')
      .execute();
    const ids = news.map(({ refusal_id }) => refusal_id);
    const groups = await new RefusalStore(transaction).byIds(accountId, ids, MOST_SHOWN);
    if (groups.length === 0) return null;
    const refusals = groups.map(({ id: _id, accountId: _accountId, ...refusal }): Refusal => refusal);
    return { refusals, more: ids.length - refusals.length };
  },
};
