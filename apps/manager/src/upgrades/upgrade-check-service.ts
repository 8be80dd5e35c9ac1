import {
  type DelegateRegistered,
  formatImageReference,
  type ImageReference,
  isOlderTag,
  isWhatIsWantedOrMirrored,
  parseDelegateVersion,
  parseImageReference,
  type UpgradeCheck,
  type UpgradeComponent,
  versionInTag,
} from '@sallyport/protocol';
import type { Kysely } from 'kysely';
import type { Clock } from '../clock.ts';
import type { Schema } from '../database/schema.ts';
import type { Delegate, DelegateStore } from '../delegates/delegate-store.ts';
import type { Presence } from '../delegates/presence.ts';
import { type AttemptKey, AttemptStore, hasFailed } from './attempt-store.ts';
import { CheckStore } from './check-store.ts';
import { inForce, OverrideStore } from './override-store.ts';
import { readImage } from './published-image.ts';
import { type Release, ReleaseStore } from './release-store.ts';
import { runsTag } from './running-version.ts';
import type { UpgradeJudge } from './upgrade-judge.ts';
import { inTheFlavourOf, type Wanted, wantedImage } from './wanted-image.ts';

export interface UpgradeCheckParts {
  readonly database: Kysely<Schema>;
  readonly delegates: DelegateStore;
  readonly presence: Presence;
  readonly clock: Clock;
  readonly judge: Pick<UpgradeJudge, 'decide' | 'badInAccount'>;
  /** How long a delegate that took a version has to come back. */
  readonly watchMs: number;
}

export interface RegisteredQuery {
  readonly delegateName: string;
  readonly imageTag: string;
  readonly hostName: string | undefined;
  /** Epoch milliseconds. */
  readonly since: number;
}

const HELD_BACK: Wanted = { change: false, isCurrent: false };

/** Answers upgraders, and remembers what they were told. */
export class UpgradeCheckService {
  readonly #parts: UpgradeCheckParts;
  readonly #releases: ReleaseStore;
  readonly #overrides: OverrideStore;
  readonly #checks: CheckStore;
  readonly #attempts: AttemptStore;

  constructor(parts: UpgradeCheckParts) {
    this.#parts = parts;
    this.#releases = new ReleaseStore(parts.database);
    this.#overrides = new OverrideStore(parts.database);
    this.#checks = new CheckStore(parts.database);
    this.#attempts = new AttemptStore(parts.database);
  }

  /**
   * The image that the caller should run. Never an older one than `currentImage` unless that was decided, never one that
   * this delegate has failed with. Throws INVALID_REQUEST when `currentImage` is no image reference.
   */
  async check(
    accountId: string,
    component: UpgradeComponent,
    currentImage: string,
    delegateName = '',
  ): Promise<UpgradeCheck> {
    const now = this.#now();
    const release = await this.#releases.current(component, await this.#releases.ringOf(accountId));
    const current = readCurrent(currentImage, release);
    const stored = component === 'DELEGATE' ? await this.#overrides.find(accountId) : null;
    const override = inForce(stored, now, release?.sequence ?? 0);
    const name = await this.#knownName(accountId, delegateName);
    const running =
      component === 'UPGRADER' || versionInTag(current.tag) !== null
        ? null
        : await this.#reportedVersion(accountId, delegateName);
    const first = wantedImage({ current, running, release, override });
    let wanted = first;
    if (component === 'DELEGATE' && release !== null) {
      const key = { releaseId: release.id, accountId, delegateName: name };
      wanted = await this.#watched(wanted, key, release, current, now);
    }
    await this.#checks.record(accountId, component, {
      ...{ delegateName: name, tag: current.tag ?? '', at: now, isCurrent: !first.change && first.isCurrent },
    });
    if (!wanted.change) {
      return {
        imageTag: currentImage,
        shouldUpgrade: false,
        ...(wanted.reason !== undefined && { reason: wanted.reason }),
      };
    }
    return {
      ...{ imageTag: wanted.image, shouldUpgrade: true },
      ...(wanted.isOlder && { allowOlder: true }),
      ...(running !== null && { currentVersion: running }),
    };
  }

  /** Whether a delegate of the account is there with the image: for who has replaced its container and can put the old one back. */
  async registered(accountId: string, query: RegisteredQuery): Promise<DelegateRegistered> {
    const { tag } = readImage(query.imageTag);
    const instances = (await this.#instances(accountId, query.delegateName)).filter(
      (instance) =>
        // Heard of since, not registered since: an instance that restarts on its host keeps its registration.
        runsTag({ version: instance.version, registeredAt: this.#lastSeen(instance) }, tag, query.since) &&
        (query.hostName === undefined || instance.hostName.endsWith(query.hostName)),
    );
    const connected = instances.some((instance) => this.#isConnected(instance));
    return { registered: instances.length > 0, connected };
  }

  /** Puts on record what the caller is told or has done; one that the release broke is not told to take it again. */
  async #watched(
    wanted: Wanted,
    key: AttemptKey,
    release: Release,
    current: ImageReference,
    now: number,
  ): Promise<Wanted> {
    const judgeAt = now + this.#parts.watchMs;
    if (!wanted.change || wanted.release === null) {
      const published = parseImageReference(release.image);
      const taken = published === null ? null : inTheFlavourOf(current, published);
      if (taken !== null && isWhatIsWantedOrMirrored(current, taken)) await this.#attempts.taken(key, now, judgeAt);
      return wanted;
    }
    // Calls that name no delegate may be about several: what one of them does says nothing of the others.
    const before = key.delegateName === '' ? null : await this.#attempts.find(key);
    if (before?.outcome === 'WAITING' && before.takenAt !== null) {
      // It had it and is back at the old one: whoever upgraded it rolled back.
      await this.#parts.judge.decide(before, 'UNHEALTHY');
      return HELD_BACK;
    }
    if (before !== null && hasFailed(before) && (before.decidedAt ?? 0) >= release.judgedFrom) return HELD_BACK;
    if ((await this.#parts.judge.badInAccount(release, key.accountId)) !== null) return HELD_BACK;
    await this.#attempts.offer(key, formatImageReference(current), wanted.image, now, judgeAt);
    return wanted;
  }

  /** Only names of delegates are remembered: whoever holds a token could send any number of others. */
  async #knownName(accountId: string, name: string): Promise<string> {
    if (name === '') return '';
    return (await this.#instances(accountId, name)).length > 0 ? name : '';
  }

  /** The newest version that instances of the delegate report; those of all delegates when the caller names none. */
  async #reportedVersion(accountId: string, delegateName: string): Promise<string | null> {
    await this.#parts.presence.flush();
    const fleet = await this.#parts.delegates.ofAccount(accountId, this.#now());
    const instances = fleet.filter(({ name }) => delegateName === '' || name === delegateName);
    const connected = instances.filter((instance) => this.#isConnected(instance));
    const versions = (connected.length > 0 ? connected : instances).map(({ version }) => version);
    return versions
      .filter((version) => versionInTag(version) !== null)
      .reduce<string | null>((newest, each) => (newest === null || isOlderTag(newest, each) ? each : newest), null);
  }

  async #instances(accountId: string, name: string): Promise<Delegate[]> {
    await this.#parts.presence.flush();
    const instances = await this.#parts.delegates.ofAccount(accountId, this.#now());
    return instances.filter((instance) => instance.name === name);
  }

  #isConnected(instance: Delegate): boolean {
    return this.#parts.presence.get(instance.accountId, instance.id) !== undefined || instance.connected;
  }

  #lastSeen(instance: Delegate): number {
    return this.#parts.presence.get(instance.accountId, instance.id)?.lastSeen ?? instance.lastSeen;
  }

  #now(): number {
    return this.#parts.clock.now().getTime();
  }
}

/** By its name the parameter is a tag: a version alone is one of the published repository, and not a repository of that name. */
function readCurrent(text: string, release: Release | null): ImageReference {
  const repository = release === null ? null : parseImageReference(release.image);
  if (parseDelegateVersion(text) === null || repository === null) return readImage(text);
  return { ...repository, tag: text, digest: null };
}
