import { parseImageReference, type UpgradeComponent } from '@sallyport/protocol';
import type { Kysely } from 'kysely';
import type { Clock } from '../clock.ts';
import type { Schema } from '../database/schema.ts';
import type { Delegate, DelegateStore } from '../delegates/delegate-store.ts';
import type { Presence } from '../delegates/presence.ts';
import { AttemptStore } from './attempt-store.ts';
import { UPGRADER_GONE_AFTER_MS } from './auto-upgrade.ts';
import type { CanaryTrial } from './canary-trial.ts';
import { CheckStore } from './check-store.ts';
import { type HaltingRule, isFailing, tookOf } from './halting-rule.ts';
import { type Release, ReleaseStore } from './release-store.ts';
import { runsTag } from './running-version.ts';

export interface CanaryEvidenceParts {
  readonly database: Kysely<Schema>;
  readonly delegates: DelegateStore;
  readonly presence: Presence;
  readonly clock: Clock;
  readonly watchMs: number;
  readonly rule: HaltingRule;
}

/** What is known of a version from the accounts of the canary. */
export class CanaryEvidence {
  readonly #parts: CanaryEvidenceParts;
  readonly #checks: CheckStore;
  readonly #attempts: AttemptStore;

  constructor(parts: CanaryEvidenceParts) {
    this.#parts = parts;
    this.#checks = new CheckStore(parts.database);
    this.#attempts = new AttemptStore(parts.database);
  }

  async of(component: UpgradeComponent, image: string): Promise<CanaryTrial> {
    const { database, clock, watchMs, rule } = this.#parts;
    const since = clock.now().getTime() - UPGRADER_GONE_AFTER_MS;
    const releases = new ReleaseStore(database);
    const release = await releases.current(component, 'canary');
    const { delegates: kept } = await this.#checks.kept(component, since, { ring: 'canary' });
    const isIt = release !== null && release.image === image;
    const tallies = isIt ? await this.#attempts.tallies(release.id, release.judgedFrom) : [];
    const already = isIt ? await this.#already(release, since) : [];
    const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, already.length);
    const took = tallies.filter((tally) => tookOf(tally) > 0).map(({ accountId }) => accountId);
    return {
      ...{ component, image, kept, watchMs, failurePercent: rule.failurePercent },
      published:
        release === null
          ? null
          : { image: release.image, halted: release.status === 'HALTED', haltedReason: release.haltedReason },
      accounts: await releases.accountsIn('canary'),
      took: sum(tallies.map(tookOf)),
      healthy: sum(tallies.map(({ healthy }) => healthy)),
      failed: tallies.reduce((total, { failed }) => total + failed, 0),
      failingAccounts: tallies.filter((tally) => isFailing(tally, rule)).length,
      tookAccounts: new Set([...took, ...already]).size,
      nextJudgedAt: isIt ? await this.#attempts.nextJudgedAt(release.id) : null,
    };
  }

  /**
   * Those that have it without having been told: installed with it, or upgraded by hand. Of an upgrader its call shows
   * that it works, of a delegate that it is connected. Of each the account.
   */
  async #already({ id, component, image }: Release, since: number): Promise<string[]> {
    const tag = parseImageReference(image)?.tag ?? '';
    const tags = [tag, `${tag}.minimal`, tag.replace(/\.minimal$/, '')];
    const callers = await this.#checks.current(component, 'canary', tags, since);
    if (component === 'UPGRADER' || callers.length === 0) return callers.map(({ accountId }) => accountId);
    await this.#parts.presence.flush();
    const already: string[] = [];
    for (const [accountId, own] of Map.groupBy(callers, (caller) => caller.accountId)) {
      const told = await this.#attempts.told(id, accountId);
      const fleet = await this.#parts.delegates.ofAccount(accountId, this.#parts.clock.now().getTime());
      const works = (instance: Delegate) => runsTag(instance, tag, Infinity) && this.#isConnected(instance);
      const theirs = own.filter(
        ({ delegateName }) =>
          !told.has(delegateName) &&
          fleet.some((instance) => (delegateName === '' || instance.name === delegateName) && works(instance)),
      );
      already.push(...theirs.map(() => accountId));
    }
    return already;
  }

  #isConnected(instance: Delegate): boolean {
    return this.#parts.presence.get(instance.accountId, instance.id) !== undefined || instance.connected;
  }
}
