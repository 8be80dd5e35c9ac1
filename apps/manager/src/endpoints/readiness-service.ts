import type { Readiness } from '@sallyport/protocol';
import type { Kysely } from 'kysely';
import type { Clock } from '../clock.ts';
import type { Schema } from '../database/schema.ts';
import type { EndpointService } from './endpoint-service.ts';
import { readReadiness } from './read-readiness.ts';

export interface ReadinessParts {
  readonly database: Kysely<Schema>;
  readonly endpoints: EndpointService;
  readonly clock: Clock;
  readonly urlOf: (fqdn: string) => string;
  /** Resolves when what this replica has seen of delegates and refusals is in the database. */
  readonly settle: () => Promise<void>;
}

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
