import { randomUUID } from 'node:crypto';
import {
  formatImageReference,
  isOlderTag,
  type PublishRequest,
  parseImageReference,
  type RingStatus,
  SallyportError,
  UPGRADE_COMPONENTS,
  UPGRADE_RINGS,
  type UpgradeComponent,
  type UpgradeRelease,
  type UpgradeRing,
} from '@sallyport/protocol';
import type { Kysely } from 'kysely';
import { describePrincipal, type Principal } from '../access/principal.ts';
import { AuditStore } from '../audit/audit-store.ts';
import type { Clock } from '../clock.ts';
import { isUniqueViolation } from '../database/database-error.ts';
import type { Schema } from '../database/schema.ts';
import { AttemptStore } from './attempt-store.ts';
import { readPublishedImage } from './published-image.ts';
import { type Release, ReleaseStore } from './release-store.ts';

/** What the rings give out, and which accounts they have. Operators decide it. */
export class ReleaseService {
  readonly #database: Kysely<Schema>;
  readonly #store: ReleaseStore;
  readonly #attempts: AttemptStore;
  readonly #clock: Clock;

  constructor(database: Kysely<Schema>, clock: Clock) {
    this.#database = database;
    this.#store = new ReleaseStore(database);
    this.#attempts = new AttemptStore(database);
    this.#clock = clock;
  }

  /**
   * When it resolves, upgraders of the ring's accounts are given the image at their next call. Throws INVALID_REQUEST for
   * an image that names no version, CONFLICT for one that is older than the ring's, or new to the canary.
   */
  async publish(request: PublishRequest, by: Principal): Promise<UpgradeRelease> {
    const { ring, component = 'DELEGATE', allowOlder = false, skipCanary = false } = request;
    const parsed = readPublishedImage(request.image);
    const image = formatImageReference(parsed);
    const current = await this.#store.current(component, ring);
    const present = current === null ? null : parseImageReference(current.image);
    if (present !== null && isOlderTag(parsed.tag, present.tag) && !allowOlder) {
      throw new SallyportError('CONFLICT', `${image} is older than ${current?.image}, which ring ${ring} publishes.`, {
        remedy: 'Publish a newer version, or say that older is meant (allowOlder, --allow-older).',
      });
    }
    if (ring === 'stable' && !skipCanary) await this.#refuseUntried(component, image);
    const id = randomUUID();
    const publishedBy = describePrincipal(by);
    const at = this.#now();
    const sequence = (current?.sequence ?? 0) + 1;
    try {
      await this.#database.transaction().execute(async (transaction) => {
        await new ReleaseStore(transaction).insert({
          ...{ id, component, ring, image, allowOlder, sequence, publishedBy },
          publishedAt: at,
        });
        await new AuditStore(transaction).append({
          ...{ accountId: null, at: new Date(at), actor: publishedBy, action: 'upgrade.published', subject: ring },
          details: { component, image, before: current?.image ?? null, allowOlder, skipCanary },
        });
      });
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      throw new SallyportError('CONFLICT', `Somebody else published to ring ${ring} at the same moment.`, {
        cause: error,
      });
    }
    return this.#describe(await this.#must(component, ring));
  }

  /** Upgraders of the ring's accounts are told to stay where they are. Throws CONFLICT when it is halted. */
  async halt(ring: UpgradeRing, component: UpgradeComponent, reason: string, by: Principal): Promise<UpgradeRelease> {
    const release = await this.#must(component, ring);
    const actor = describePrincipal(by);
    await this.#database.transaction().execute(async (transaction) => {
      if (!(await new ReleaseStore(transaction).halt(release.id, this.#now(), reason))) {
        throw new SallyportError('CONFLICT', `Ring ${ring} is halted already: ${release.haltedReason ?? reason}`);
      }
      await this.#record(transaction, 'upgrade.halted', release, actor, { reason });
    });
    return this.#describe(await this.#must(component, ring));
  }

  /** Gives the ring's image out again; delegates that failed with it are told to take it again. Throws CONFLICT when it is not halted. */
  async resume(ring: UpgradeRing, component: UpgradeComponent, by: Principal): Promise<UpgradeRelease> {
    const release = await this.#must(component, ring);
    await this.#database.transaction().execute(async (transaction) => {
      if (!(await new ReleaseStore(transaction).resume(release.id, this.#now()))) {
        throw new SallyportError('CONFLICT', `Ring ${ring} is not halted: it gives out ${release.image}.`);
      }
      const before = { reason: release.haltedReason };
      await this.#record(transaction, 'upgrade.resumed', release, describePrincipal(by), before);
    });
    return this.#describe(await this.#must(component, ring));
  }

  async setRing(accountId: string, ring: UpgradeRing, by: Principal): Promise<UpgradeRing> {
    await this.#database.transaction().execute(async (transaction) => {
      const store = new ReleaseStore(transaction);
      const before = await store.ringOf(accountId);
      await store.setRing(accountId, ring);
      await new AuditStore(transaction).append({
        ...{ accountId, at: this.#clock.now(), actor: describePrincipal(by) },
        ...{ action: 'upgrade.ring-set', subject: accountId, details: { ring, before } },
      });
    });
    return ring;
  }

  async status(): Promise<RingStatus[]> {
    return Promise.all(
      UPGRADE_RINGS.map(async (ring): Promise<RingStatus> => {
        const current = await Promise.all(UPGRADE_COMPONENTS.map((component) => this.#store.current(component, ring)));
        return {
          ring,
          accounts: ring === 'stable' ? null : await this.#store.accountsIn(ring),
          releases: await Promise.all(current.filter((each) => each !== null).map((each) => this.#describe(each))),
        };
      }),
    );
  }

  /** The rest gets what the canary has had and not choked on; without an account in the canary there is nobody to try it. */
  async #refuseUntried(component: UpgradeComponent, image: string): Promise<void> {
    if ((await this.#store.accountsIn('canary')) === 0) return;
    const tried = await this.#store.current(component, 'canary');
    const remedy =
      'Publish it to ring canary first, or say that the canary is skipped on purpose (skipCanary, --skip-canary).';
    if (tried === null || tried.image !== image) {
      const has = tried === null ? 'nothing' : tried.image;
      throw new SallyportError('CONFLICT', `${image} was not tried: ring canary has ${has}.`, { remedy });
    }
    if (tried.status === 'HALTED') {
      throw new SallyportError('CONFLICT', `${image} is halted in ring canary: ${tried.haltedReason}`, {
        remedy: 'Publish another version, or resume the canary first.',
      });
    }
  }

  async #must(component: UpgradeComponent, ring: UpgradeRing): Promise<Release> {
    const release = await this.#store.current(component, ring);
    if (release !== null) return release;
    throw new SallyportError('ENTITY_NOT_FOUND', `Nothing is published for ${component} in ring ${ring}.`, {
      remedy: 'Publish an image first (sallyport upgrade publish IMAGE --ring RING).',
    });
  }

  async #describe(release: Release): Promise<UpgradeRelease> {
    const { id, component, ring, image, allowOlder, status } = release;
    const { publishedAt, publishedBy, haltedAt, haltedReason } = release;
    const counts = await this.#attempts.counts(id, release.judgedFrom);
    return {
      ...{ uuid: id, component, ring, image, allowOlder, status, publishedAt, publishedBy, haltedAt, haltedReason },
      ...counts,
    };
  }

  async #record(
    database: Kysely<Schema>,
    action: 'upgrade.halted' | 'upgrade.resumed',
    { ring, component, image }: Release,
    actor: string,
    details: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    await new AuditStore(database).append({
      ...{ accountId: null, at: this.#clock.now(), actor, action, subject: ring },
      details: { component, image, ...details },
    });
  }

  #now(): number {
    return this.#clock.now().getTime();
  }
}
