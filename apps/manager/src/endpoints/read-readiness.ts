import type { Readiness } from '@sallyport/protocol';
import type { Kysely } from 'kysely';
import type { Schema } from '../database/schema.ts';
import { fleetOf } from '../delegates/fleet.ts';
import { RefusalStore } from '../refusals/refusal-store.ts';
import { AuthorityUseStore } from './authority-use-store.ts';
import type { MtlsEndpoint } from './endpoint-store.ts';
import { judgeReadiness } from './readiness.ts';

const MOST_REFUSALS = 500;

/** The judgement by what `database` holds, which may be the transaction of a change that depends on it. */
export async function readReadiness(
  database: Kysely<Schema>,
  { accountId, fqdn, mode }: MtlsEndpoint,
  { notSeenForDays, now, urlOf }: { notSeenForDays: number; now: number; urlOf: (fqdn: string) => string },
): Promise<Readiness> {
  const fleet = await fleetOf(database, accountId, now);
  const namesOnMtls = await new AuthorityUseStore(database).lastUseByName(accountId);
  const groups = await new RefusalStore(database).ofAccount(accountId, MOST_REFUSALS);
  const refusals = groups.map(({ id: _id, accountId: _accountId, ...refusal }) => refusal);
  return judgeReadiness({ url: urlOf(fqdn), mode, fleet, namesOnMtls, refusals, notSeenForDays, now });
}
