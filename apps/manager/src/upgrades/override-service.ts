import { isOlderTag, parseImageReference, SallyportError, type VersionOverride } from '@sallyport/protocol';
import type { Kysely } from 'kysely';
import { describePrincipal, type Principal } from '../access/principal.ts';
import { AuditStore } from '../audit/audit-store.ts';
import type { Clock } from '../clock.ts';
import type { Schema } from '../database/schema.ts';
import { inForce, type Override, OverrideStore } from './override-store.ts';
import { readPublishedImage } from './published-image.ts';
import { type Release, ReleaseStore } from './release-store.ts';
import { isBareTag } from './wanted-image.ts';

export interface OverrideRequest {
  /** A tag, or a whole image reference. */
  readonly delegateTag: string;
  readonly validTillNextRelease: boolean;
  readonly validForDays: number;
  readonly allowOlder: boolean;
}

const DAY_MS = 86_400_000;

/** Versions that an account chose for its delegates in place of its ring's. */
export class OverrideService {
  readonly #database: Kysely<Schema>;
  readonly #clock: Clock;

  constructor(database: Kysely<Schema>, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /**
   * Replaces the account's override. Throws INVALID_REQUEST for a tag that names no version, CONFLICT for one that is older
   * than what the account's ring publishes, unless older is meant.
   */
  async set(accountId: string, request: OverrideRequest, by: Principal): Promise<VersionOverride> {
    const { delegateTag: version, validTillNextRelease, validForDays, allowOlder } = request;
    const { tag } = readPublishedImage(isBareTag(version) ? `tag-of/delegate:${version}` : version);
    const release = await this.#releaseOf(accountId);
    if (release !== null && !allowOlder && isOlderTag(tag, parseImageReference(release.image)?.tag ?? null)) {
      throw new SallyportError(
        'CONFLICT',
        `${version} is older than ${release.image}, which the account's ring publishes.`,
        {
          remedy: 'Name a newer version, or say that older is meant (allowOlder=true, --allow-older).',
        },
      );
    }
    const now = this.#clock.now().getTime();
    const override: Override = {
      ...{ version, allowOlder, createdAt: now, createdBy: describePrincipal(by) },
      validUntil: validTillNextRelease ? null : now + validForDays * DAY_MS,
      untilAfterSequence: validTillNextRelease ? (release?.sequence ?? 0) : null,
    };
    await this.#database.transaction().execute(async (transaction) => {
      await new OverrideStore(transaction).put(accountId, override);
      await this.#record(transaction, accountId, 'upgrade.override-set', override.createdBy, {
        ...{ version, allowOlder, validTillNextRelease, validUntil: override.validUntil },
      });
    });
    return describe(override);
  }

  /** The override that is in force now, or null. */
  async find(accountId: string): Promise<VersionOverride | null> {
    const release = await this.#releaseOf(accountId);
    const stored = await new OverrideStore(this.#database).find(accountId);
    const override = inForce(stored, this.#clock.now().getTime(), release?.sequence ?? 0);
    return override === null ? null : describe(override);
  }

  /** True when there was one. */
  async remove(accountId: string, by: Principal): Promise<boolean> {
    return this.#database.transaction().execute(async (transaction) => {
      const removed = await new OverrideStore(transaction).delete(accountId);
      if (removed) await this.#record(transaction, accountId, 'upgrade.override-removed', describePrincipal(by), {});
      return removed;
    });
  }

  async #releaseOf(accountId: string): Promise<Release | null> {
    const releases = new ReleaseStore(this.#database);
    return releases.current('DELEGATE', await releases.ringOf(accountId));
  }

  async #record(
    database: Kysely<Schema>,
    accountId: string,
    action: 'upgrade.override-set' | 'upgrade.override-removed',
    actor: string,
    details: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    const at = this.#clock.now();
    await new AuditStore(database).append({ accountId, at, actor, action, subject: accountId, details });
  }
}

function describe(override: Override): VersionOverride {
  return {
    version: override.version,
    tags: [],
    orgIdentifier: null,
    projectIdentifier: null,
    parentUniqueId: null,
    validUntil: override.validUntil,
    validTillNextRelease: override.untilAfterSequence !== null,
    allowOlder: override.allowOlder,
    createdBy: override.createdBy,
  };
}
