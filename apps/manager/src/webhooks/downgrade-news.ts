import type { Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import { type FleetMember, fleetOf, type LastOnMtls } from '../delegates/fleet.ts';
import { REMEMBERED_MS } from '../delegates/gone-delegates.ts';
import { ACCOUNTS_AT_ONCE, type News } from './teller.ts';
import { accountsListening } from './webhook-store.ts';

/** A delegate that has come without mTLS. */
export interface CameInPlain {
  readonly accountId: string;
  readonly name: string;
  readonly at: number;
  /** When this very instance was last on mTLS; null when it never was. */
  readonly lastOnMtls: number | null;
}

const MOST_SHOWN = 50;
const MOST_LOOKED_AT = 1_000;
/** A rolling update starts the new instance first: while another one of the name is on mTLS, it is waited for so long. */
const OVERLAP_MS = 3_600_000;

/** Tells of delegates that were on mTLS and are connected without it. */
export const downgradeNews: News = {
  type: 'delegate.downgraded',

  async waiting(database, _now, justTold) {
    const rows = await database
      .selectFrom('downgrades')
      .select('account_id')
      .distinct()
      .where('told_at', 'is', null)
      .where('account_id', 'not in', justTold)
      .limit(ACCOUNTS_AT_ONCE)
      .execute();
    return rows.map(({ account_id }) => account_id);
  },

  async take(transaction, accountId, now) {
    const open = await transaction
      .selectFrom('downgrades')
      .select(['delegate_name', 'at'])
      .where('account_id', '=', accountId)
      .where('told_at', 'is', null)
      .orderBy('delegate_name')
      .limit(MOST_LOOKED_AT)
      .execute();
    const byName = Map.groupBy(await fleetOf(transaction, accountId, now), ({ name }) => name);
    const downgraded: FleetMember[] = [];
    for (const { delegate_name: name, at } of open) {
      const instances = byName.get(name) ?? [];
      const members = instances.filter(({ connected }) => connected);
      const plain = members.filter(({ transport }) => transport === 'PLAIN');
      // Of an instance that was killed we hear nothing for two minutes; the next one of its host is its successor.
      const isSuccessor = ({ hostName }: FleetMember) =>
        members.every((other) => other.transport === 'PLAIN' || other.hostName === hostName);
      const fallen = plain.find(({ mtls }) => mtls !== null) ?? plain.find(isSuccessor);
      const row = transaction
        .updateTable('downgrades')
        .where('account_id', '=', accountId)
        .where('delegate_name', '=', name);
      if (fallen !== undefined) {
        downgraded.push({ ...fallen, mtls: latest(instances) });
        await row.set({ told_at: now }).execute();
      } else if (plain.length === 0 || now - at > OVERLAP_MS) {
        // Back on mTLS, or gone; it is looked at again when it comes in plain.
        await row.set({ told_at: 0 }).execute();
      }
    }
    if (downgraded.length === 0) return null;
    return {
      delegates: downgraded.slice(0, MOST_SHOWN).map(({ delegateId, name, hostName, mtls }) => ({
        ...{ delegateId, name, hostName },
        lastOnMtls: mtls?.at ?? null,
        certificate: mtls?.certificate ?? null,
      })),
      more: Math.max(downgraded.length - MOST_SHOWN, 0),
    };
  },

  async tidy(database, now) {
    await database
      .deleteFrom('downgrades')
      .where('at', '<', now - REMEMBERED_MS)
      .execute();
  },
};

/** Notes those whose name was on mTLS before, for accounts that want to know. Each fall once, however often it reconnects. */
export async function noteDowngrades(transaction: Transaction<Schema>, came: readonly CameInPlain[]): Promise<void> {
  if (came.length === 0) return;
  const accounts = [...new Set(came.map(({ accountId }) => accountId))];
  const listening = await accountsListening(transaction, accounts, 'delegate.downgraded');
  const wanted = came.filter(({ accountId }) => listening.has(accountId));
  if (wanted.length === 0) return;
  const uses = await transaction
    .selectFrom('authority_uses')
    .select((use) => ['account_id', 'delegate_name', use.fn.max('last_used').as('last_used')])
    .where('account_id', 'in', [...listening])
    .where('delegate_name', 'in', [...new Set(wanted.map(({ name }) => name))])
    .groupBy(['account_id', 'delegate_name'])
    .execute();
  const lastUses = new Map(uses.map((use) => [keyOf(use.account_id, use.delegate_name), Number(use.last_used)]));
  const falls = new Map<string, CameInPlain & { readonly fellAt: number }>();
  for (const one of wanted) {
    const key = keyOf(one.accountId, one.name);
    const fellAt = Math.max(one.lastOnMtls ?? 0, lastUses.get(key) ?? 0, falls.get(key)?.fellAt ?? 0);
    if (fellAt > 0) falls.set(key, { ...one, fellAt });
  }
  for (const [, { accountId, name, at, fellAt }] of [...falls].sort(([a], [b]) => (a < b ? -1 : 1))) {
    await transaction
      .insertInto('downgrades')
      .values({ account_id: accountId, delegate_name: name, at, told_at: null })
      .onConflict((conflict) =>
        conflict
          .columns(['account_id', 'delegate_name'])
          .doUpdateSet({ at, told_at: null })
          .where('downgrades.told_at', '<', fellAt),
      )
      .execute();
  }
}

/** Its last time on mTLS, by whichever instance. */
function latest(instances: readonly FleetMember[]): LastOnMtls | null {
  return instances.reduce<LastOnMtls | null>(
    (last, { mtls }) => (mtls !== null && mtls.at > (last?.at ?? 0) ? mtls : last),
    null,
  );
}

const keyOf = (accountId: string, name: string): string => JSON.stringify([accountId, name]);
