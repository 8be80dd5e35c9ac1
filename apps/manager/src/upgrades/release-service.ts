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
import type { CanaryEvidence } from './canary-evidence.ts';
import { type CanaryTrial, type TrialWarning, verdictOn } from './canary-trial.ts';
import { type AccountTally, tookOf } from './halting-rule.ts';
import { readPublishedImage } from './published-image.ts';
import { type Release, ReleaseStore } from './release-store.ts';

/** What the rings give out, and which accounts they have. Operators decide it. */
export class ReleaseService {
  readonly #database: Kysely<Schema>;
  readonly #store: ReleaseStore;
  readonly #attempts: AttemptStore;
  readonly #canary: CanaryEvidence;
  readonly #clock: Clock;

  constructor(database: Kysely<Schema>, canary: CanaryEvidence, clock: Clock) {
    this.#database = database;
    this.#canary = canary;
    this.#store = new ReleaseStore(database);
    this.#attempts = new AttemptStore(database);
    this.#clock = clock;
  }

  /**
   * When it resolves, upgraders of the ring's accounts are given the image at their next call. Throws INVALID_REQUEST for
   * an image that names no version, CONFLICT for one that is older than the ring's, or that the canary did not take and come
   * back with, or failed with too often. The warning says when nobody is in the canary, or some of it failed.
   */
  async publish(
    request: PublishRequest,
    by: Principal,
  ): Promise<{ readonly release: UpgradeRelease; readonly warning: TrialWarning | null }> {
    const { ring, component = 'DELEGATE', allowOlder = false, force = false } = request;
    const parsed = readPublishedImage(request.image);
    const image = formatImageReference(parsed);
    const current = await this.#store.current(component, ring);
    const present = current === null ? null : parseImageReference(current.image);
    if (present !== null && isOlderTag(parsed.tag, present.tag) && !allowOlder) {
      throw new SallyportError('CONFLICT', `${image} is older than ${current?.image}, which ring ${ring} publishes.`, {
        remedy: 'Publish a newer version, or say that older is meant (allowOlder, --allow-older).',
      });
    }
    const trial = ring === 'stable' ? await this.#canary.of(component, image) : null;
    const verdict = trial === null || force ? null : verdictOn(trial);
    if (verdict?.passed === false) throw new SallyportError('CONFLICT', verdict.message, { remedy: verdict.remedy });
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
          details: {
            component,
            image,
            before: current?.image ?? null,
            allowOlder,
            force,
            ...(trial !== null && tried(trial)),
          },
        });
      });
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      throw new SallyportError('CONFLICT', `Somebody else published to ring ${ring} at the same moment.`, {
        cause: error,
      });
    }
    return { release: await this.#describe(await this.#must(component, ring)), warning: verdict?.warning ?? null };
  }

  /** Upgraders of the ring's accounts are told to stay where they are. Throws CONFLICT when it is halted. */
  async halt(ring: UpgradeRing, component: UpgradeComponent, reason: string, by: Principal): Promise<UpgradeRelease> {
    const release = await this.#must(component, ring);
    const actor = describePrincipal(by);
    await this.#database.transaction().execute(async (transaction) => {
      if (!(await new ReleaseStore(transaction).halt(release.id, this.#now(), reason, actor))) {
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

  async #must(component: UpgradeComponent, ring: UpgradeRing): Promise<Release> {
    const release = await this.#store.current(component, ring);
    if (release !== null) return release;
    throw new SallyportError('ENTITY_NOT_FOUND', `Nothing is published for ${component} in ring ${ring}.`, {
      remedy: 'Publish an image first (sallyport upgrade publish IMAGE --ring RING).',
    });
  }

  async #describe(release: Release): Promise<UpgradeRelease> {
    const { id, component, ring, image, allowOlder, status } = release;
    const { publishedAt, publishedBy, haltedAt, haltedBy, haltedReason } = release;
    const tallies = await this.#attempts.tallies(id, release.judgedFrom);
    const sum = (of: (tally: AccountTally) => number) => tallies.reduce((total, tally) => total + of(tally), 0);
    return {
      ...{ uuid: id, component, ring, image, allowOlder, status, publishedAt, publishedBy },
      ...{ haltedAt, haltedBy, haltedReason },
      offered: sum((tally) => tally.offered),
      waiting: sum((tally) => tally.waiting),
      taken: sum(tookOf),
      healthy: sum((tally) => tally.healthy),
      failed: sum((tally) => tally.failed),
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

/** What the audit log keeps of the canary's word. */
const tried = ({ kept, took, healthy, failed }: CanaryTrial) => ({ canary: { kept, took, healthy, failed } });
