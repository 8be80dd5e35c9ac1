import { type AccountUpgrades, type AutoUpgradeState, parseImageReference, SallyportError } from '@sallyport/protocol';
import type { Kysely } from 'kysely';
import type { Clock } from '../clock.ts';
import type { Schema } from '../database/schema.ts';
import type { Delegate } from '../delegates/delegate-store.ts';
import { AttemptStore } from './attempt-store.ts';
import { autoUpgradeState } from './auto-upgrade.ts';
import { CheckStore } from './check-store.ts';
import type { OverrideService } from './override-service.ts';
import { type Release, ReleaseStore, SYSTEM } from './release-store.ts';
import type { UpgradeJudge } from './upgrade-judge.ts';
import { overriddenImage } from './wanted-image.ts';

/** What one account gets, as its own people see it. */
export class AccountUpgradesService {
  readonly #database: Kysely<Schema>;
  readonly #overrides: OverrideService;
  readonly #clock: Clock;
  readonly #judge: Pick<UpgradeJudge, 'badInAccount'>;

  constructor(
    database: Kysely<Schema>,
    overrides: OverrideService,
    clock: Clock,
    judge: Pick<UpgradeJudge, 'badInAccount'>,
  ) {
    this.#database = database;
    this.#overrides = overrides;
    this.#clock = clock;
    this.#judge = judge;
  }

  async of(accountId: string): Promise<AccountUpgrades> {
    const releases = new ReleaseStore(this.#database);
    const ring = await releases.ringOf(accountId);
    const delegate = await releases.current('DELEGATE', ring);
    return {
      ring,
      delegateImage: delegate?.image ?? null,
      upgraderImage: (await releases.given('UPGRADER', ring))?.image ?? null,
      halted: delegate === null ? null : await this.#halted(delegate, accountId),
      override: await this.#overrides.find(accountId),
      attempts: await new AttemptStore(this.#database).ofAccount(accountId),
    };
  }

  async #halted(release: Release, accountId: string): Promise<string | null> {
    const { status, haltedBy, haltedReason, image } = release;
    if (status === 'HALTED') {
      // The numbers in the judge's reason are about other accounts too; what an operator writes is meant to be read.
      const why =
        haltedBy === SYSTEM ? `too many delegates that took ${image} came back unhealthy or not at all.` : haltedReason;
      return `The ring of the account is halted, and nothing new is given out: ${why}`;
    }
    const bad = await this.#judge.badInAccount(release, accountId);
    return bad === null ? null : `The account is given nothing new: ${bad}`;
  }

  /** The newest version that the account gets: its override, or what its ring gives out. Throws ENTITY_NOT_FOUND without either. */
  async latestVersion(accountId: string): Promise<string> {
    const releases = new ReleaseStore(this.#database);
    const release = await releases.given('DELEGATE', await releases.ringOf(accountId));
    const published = release === null ? null : parseImageReference(release.image);
    const override = await this.#overrides.find(accountId);
    const image =
      override === null
        ? published
        : overriddenImage(override.version, published ?? { registry: null, path: 'delegate', tag: null, digest: null });
    if (image?.tag) return image.tag.replace(/\.minimal$/, '');
    throw new SallyportError('ENTITY_NOT_FOUND', `No delegate version is published for account '${accountId}'.`, {
      remedy: 'Ask the operator to publish one (sallyport upgrade publish).',
    });
  }

  /** How each delegate of the account is kept current, by its name and instances. */
  async states(accountId: string): Promise<(name: string, instances: readonly Delegate[]) => AutoUpgradeState> {
    const calls = await new CheckStore(this.#database).ofAccount(accountId);
    const now = this.#clock.now().getTime();
    return (name, instances) => autoUpgradeState(name, instances, calls, now);
  }
}
