import type { Readiness } from '@sallyport/protocol';
import type { Kysely } from 'kysely';
import type { Clock } from '../clock.ts';
import type { Schema } from '../database/schema.ts';
import { fleetOf } from '../delegates/fleet.ts';
import { RefusalStore } from '../refusals/refusal-store.ts';
import { AuthorityUseStore } from './authority-use-store.ts';
import type { EndpointService } from './endpoint-service.ts';
import type { MtlsEndpoint } from './endpoint-store.ts';
import { judgeReadiness } from './readiness.ts';

export interface ReadinessParts {
  readonly database: Kysely<Schema>;
  readonly endpoints: EndpointService;
  readonly clock: Clock;
  readonly urlOf: (fqdn: string) => string;
  /** Resolves when what this replica has seen of delegates and refusals is in the database. */
  readonly settle: () => Promise<void>;
}

const MOST_REFUSALS = 500;

export class ReadinessService {
  readonly #parts: ReadinessParts;

  constructor(parts: ReadinessParts) {
    this.#parts = parts;
  }

  /** How every delegate of the account stands now. Throws ENTITY_NOT_FOUND when it has no endpoint. */
  async of(accountId: string, notSeenForDays: number): Promise<Readiness> {
    const { database, endpoints, clock, urlOf, settle } = this.#parts;
    const { endpoint } = await endpoints.get(accountId);
    await settle();
    return readReadiness(database, endpoint, { notSeenForDays, now: clock.now().getTime(), urlOf });
  }
}

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
