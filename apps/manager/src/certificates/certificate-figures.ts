import { type Kysely, sql } from 'kysely';
import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';
import type { Schema } from '../database/schema.ts';
import { DAY_MS } from './expiry-notices.ts';

/** How much of its life a certificate has left; each counts in the first that fits. */
export const LEFT = ['expired', '1d', '7d', '14d', '30d', 'more'] as const;
export type Left = (typeof LEFT)[number];
const DAYS: readonly (readonly [Left, number])[] = [
  ['expired', 0],
  ['1d', 1],
  ['7d', 7],
  ['14d', 14],
  ['30d', 30],
];

export type CountByLeft = Readonly<Partial<Record<Left, number>>>;

export interface EndpointFigures {
  readonly fqdn: string;
  /** Epoch milliseconds. */
  readonly soonest: number;
  readonly counts: CountByLeft;
}

export interface Figures {
  readonly all: CountByLeft;
  readonly endpoints: readonly EndpointFigures[];
}

export interface FiguresParts {
  readonly database: Kysely<Schema>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Endpoints that are told of by name: those whose certificates end first. */
  readonly endpoints: number;
}

/** Scrapes come from everywhere and often; the figures change by the day. */
const KEPT_MS = 60_000;
const NOTHING: Figures = { all: {}, endpoints: [] };

/** How the certificates that delegates depend on stand, over all accounts. Read when somebody scrapes, at most once a minute. */
export class CertificateFigures {
  readonly #parts: FiguresParts;
  #readAt = Number.NEGATIVE_INFINITY;
  #figures: Promise<Figures> = Promise.resolve(NOTHING);

  constructor(parts: FiguresParts) {
    this.#parts = parts;
  }

  now(): number {
    return this.#parts.clock.now().getTime();
  }

  /** Never rejects: without a database there are none. */
  read(): Promise<Figures> {
    const now = this.now();
    if (now - this.#readAt >= KEPT_MS) {
      this.#readAt = now;
      this.#figures = this.#read(now).catch((error: unknown) => {
        this.#parts.logger.warn({ err: error }, 'metrics: the client certificates could not be counted');
        return NOTHING;
      });
    }
    return this.#figures;
  }

  async #read(now: number): Promise<Figures> {
    const { database, endpoints } = this.#parts;
    const all: Partial<Record<Left, number>> = {};
    for (const { left, number } of await inUse(database)
      .select((row) => [leftAt(now).as('left'), row.fn.countAll<number>().as('number')])
      .groupBy('left')
      .execute())
      all[left] = Number(number);
    if (endpoints === 0) return { all, endpoints: [] };
    const soonest = await inUse(database)
      .innerJoin('mtls_endpoints', 'mtls_endpoints.account_id', 'client_certificates.account_id')
      .select((row) => ['mtls_endpoints.account_id', 'fqdn', row.fn.min('not_after').as('soonest')])
      .groupBy(['mtls_endpoints.account_id', 'fqdn'])
      .orderBy('soonest')
      .limit(endpoints)
      .execute();
    const counts = new Map<string, Partial<Record<Left, number>>>();
    if (soonest.length > 0) {
      const rows = await inUse(database)
        .select((row) => ['account_id', leftAt(now).as('left'), row.fn.countAll<number>().as('number')])
        .where(
          'account_id',
          'in',
          soonest.map(({ account_id }) => account_id),
        )
        .groupBy(['account_id', 'left'])
        .execute();
      for (const { account_id, left, number } of rows) {
        counts.set(account_id, { ...counts.get(account_id), [left]: Number(number) });
      }
    }
    return {
      all,
      endpoints: soonest.map(({ account_id, fqdn, soonest: at }) => ({
        ...{ fqdn, soonest: Number(at) },
        counts: counts.get(account_id) ?? {},
      })),
    };
  }
}

/** Certificates that are the last that some delegate came with. */
function inUse(database: Kysely<Schema>) {
  return database
    .selectFrom('client_certificates')
    .where((where) =>
      where.exists(
        where
          .selectFrom('delegates')
          .select('delegates.id')
          .whereRef('delegates.mtls_fingerprint', '=', 'client_certificates.fingerprint')
          .whereRef('delegates.account_id', '=', 'client_certificates.account_id'),
      ),
    );
}

function leftAt(now: number) {
  const cases = DAYS.map(
    ([left, days]) => sql`when not_after <= ${sql.lit(now + days * DAY_MS)} then ${sql.lit(left)}`,
  );
  return sql<Left>`case ${sql.join(cases, sql` `)} else 'more' end`;
}
