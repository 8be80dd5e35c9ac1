import { type AuthorityDependant, type AuthorityDetails, type CutOff, SallyportError } from '@sallyport/protocol';
import type { CaAuthority } from '@sallyport/trust';
import type { Kysely } from 'kysely';
import { describePrincipal, type Principal } from '../access/principal.ts';
import type { Clock } from '../clock.ts';
import type { Schema } from '../database/schema.ts';
import { fleetOf } from '../delegates/fleet.ts';
import { authoritiesOf } from './authorities.ts';
import { type AuthorityReportInput, dependantsOf, isLastUsable, reportAuthorities } from './authority-report.ts';
import { AuthorityUseStore } from './authority-use-store.ts';
import { readBundle } from './endpoint-request.ts';
import type { EndpointService, EndpointWarning } from './endpoint-service.ts';
import type { EndpointWriter } from './endpoint-writer.ts';

export interface AuthorityParts {
  readonly database: Kysely<Schema>;
  readonly endpoints: EndpointService;
  readonly writer: EndpointWriter;
  readonly clock: Clock;
  /** Resolves when what this replica has seen of delegates is in the database. */
  readonly settle: () => Promise<void>;
}

export interface AuthorityChange {
  readonly authorities: readonly AuthorityDetails[];
  readonly cutOff: readonly CutOff[];
  /** When a change that waits for its confirmation is taken back; null when none waits. */
  readonly revertsAt: number | null;
}

export interface AuthoritiesAdded extends AuthorityChange {
  /** Fingerprints of those that the bundle did not have before. */
  readonly added: readonly string[];
  readonly warnings: readonly EndpointWarning[];
}

export interface RemoveOptions {
  /** Delegates that have been gone for longer do not hold it up. */
  readonly withinDays: number;
  /** Remove it although delegates need it. */
  readonly force: boolean;
}

const MOST_NAMED = 5;
const MOST_LISTED = 1_000;

/** The CAs of an endpoint one by one: what a rotation needs to know, and its steps. */
export class AuthorityService {
  readonly #parts: AuthorityParts;

  constructor(parts: AuthorityParts) {
    this.#parts = parts;
  }

  /** Throws ENTITY_NOT_FOUND when the account has no endpoint. */
  async list(accountId: string, withinDays: number): Promise<AuthorityDetails[]> {
    const { database, endpoints, clock, settle } = this.#parts;
    const { endpoint } = await endpoints.get(accountId);
    await settle();
    const now = clock.now();
    const fleet = await fleetOf(database, accountId, now.getTime());
    const uses = await new AuthorityUseStore(database).ofAccount(accountId);
    return reportAuthorities({ authorities: authoritiesOf(endpoint.caCertificates), fleet, uses, withinDays, now });
  }

  /**
   * When it resolves, clients of the new CAs are admitted too. No connection is touched. Throws INVALID_CA_BUNDLE, and
   * CONFLICT while another bundle is on trial.
   */
  async add(accountId: string, pem: string, withinDays: number, by: Principal): Promise<AuthoritiesAdded> {
    const { endpoints, writer, clock } = this.#parts;
    await endpoints.domainFor(accountId);
    const now = clock.now();
    const given = readBundle(pem, now).authorities;
    let added: readonly CaAuthority[] = [];
    const change = await writer.change(accountId, describePrincipal(by), ({ caCertificates }) => {
      const known = new Set(authoritiesOf(caCertificates).map(({ fingerprint256 }) => fingerprint256));
      added = given.filter(({ fingerprint256 }) => !known.has(fingerprint256));
      if (added.length === 0) return null;
      const whole = [caCertificates.trimEnd(), ...added.map((authority) => authority.pem.trimEnd()), ''].join('\n');
      // The bounds of a bundle hold for the whole.
      readBundle(whole, now);
      return { caCertificates: whole };
    });
    const { endpoint, cutOff, revertsAt } = change;
    const { warnings } = readBundle(endpoint.caCertificates, now);
    const fingerprints = added.map(({ fingerprint256 }) => fingerprint256);
    return { authorities: await this.list(accountId, withinDays), cutOff, revertsAt, added: fingerprints, warnings };
  }

  /**
   * When it resolves, connections whose chain ended at the CA are cut. Throws ENTITY_NOT_FOUND when the bundle does not
   * have it, CONFLICT when a delegate needs it, or when it is the last one that can verify anybody.
   */
  async remove(
    accountId: string,
    fingerprint: string,
    { withinDays, force }: RemoveOptions,
    by: Principal,
  ): Promise<AuthorityChange> {
    const { endpoints, writer, clock } = this.#parts;
    await endpoints.domainFor(accountId);
    const { cutOff, revertsAt } = await writer.change(accountId, describePrincipal(by), ({ caCertificates }, fleet) => {
      const authorities = authoritiesOf(caCertificates);
      const authority = authorities.find(({ fingerprint256 }) => fingerprint256 === fingerprint);
      if (authority === undefined) {
        throw new SallyportError('ENTITY_NOT_FOUND', `The bundle has no CA with the fingerprint '${fingerprint}'.`, {
          remedy: 'List the authorities: each is shown with its SHA-256 fingerprint.',
        });
      }
      refuseIfNeeded(authority, { authorities, fleet, uses: [], withinDays, now: clock.now() }, force);
      const rest = authorities.filter((other) => other !== authority);
      return { caCertificates: rest.map((other) => other.pem).join('') };
    });
    return { authorities: await this.list(accountId, withinDays), cutOff, revertsAt };
  }
}

function refuseIfNeeded(authority: CaAuthority, input: AuthorityReportInput, force: boolean): void {
  const neededBy = dependantsOf(authority, input);
  const details = { count: neededBy.length, neededBy: neededBy.slice(0, MOST_LISTED) };
  if (isLastUsable(authority, input)) {
    throw new SallyportError(
      'CONFLICT',
      `${quoted(authority)} is the last CA of the bundle that can verify anybody${listed(neededBy)}. force does not help here: an endpoint without a CA admits nobody.`,
      {
        remedy: 'Add its successor first. To go without mTLS, delete the endpoint.',
        details,
      },
    );
  }
  if (neededBy.length === 0 || force) return;
  throw new SallyportError(
    'CONFLICT',
    `${quoted(authority)} is needed by ${named(neededBy)}, seen with it in the last ${input.withinDays} days.`,
    {
      remedy:
        'Give them certificates of another CA of the bundle, forget those that are gone for good, or send force=true.',
      details,
    },
  );
}

const listed = (neededBy: readonly AuthorityDependant[]): string =>
  neededBy.length === 0 ? '' : `, and is needed by ${named(neededBy)}`;

function named(neededBy: readonly AuthorityDependant[]): string {
  const names = [...new Set(neededBy.map(({ name }) => name))];
  const more = names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : '';
  return `${names.slice(0, MOST_NAMED).join(', ')}${more}`;
}

const quoted = ({ subject, serialNumber }: CaAuthority): string =>
  subject === '' ? `The CA with the serial number ${serialNumber}` : `"${subject.slice(0, 256)}"`;
