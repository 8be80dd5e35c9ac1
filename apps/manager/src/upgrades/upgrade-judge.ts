import { parseImageReference, type UpgradeOutcome } from '@sallyport/protocol';
import type { Kysely } from 'kysely';
import type { Logger } from 'pino';
import { AuditStore } from '../audit/audit-store.ts';
import type { Clock } from '../clock.ts';
import type { Schema } from '../database/schema.ts';
import type { Delegate, DelegateStore } from '../delegates/delegate-store.ts';
import type { Presence } from '../delegates/presence.ts';
import { Tally } from '../metrics/tally.ts';
import { type Attempt, AttemptStore } from './attempt-store.ts';
import { UPGRADER_GONE_AFTER_MS } from './auto-upgrade.ts';
import { CheckStore } from './check-store.ts';
import { type BadNews, badNews, describeBadNews, type HaltingRule } from './halting-rule.ts';
import { type Release, ReleaseStore, SYSTEM } from './release-store.ts';
import { runsTag } from './running-version.ts';

export interface UpgradeJudgeParts {
  readonly database: Kysely<Schema>;
  readonly delegates: DelegateStore;
  readonly presence: Presence;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly rule: HaltingRule;
}

export type UpgradeEvent = Lowercase<UpgradeOutcome> | 'halted';

const LOOK_MS = 10_000;
const BATCH = 500;
/** The slowest known delegates are heard of this often. */
const HEARTBEAT_MS = 60_000;

/**
 * Looks at what came of upgrades: a delegate that took a version has to be back with it within a time, and a version that
 * too many did not come back with is given out no more. Every replica looks, one of them decides.
 */
export class UpgradeJudge {
  /** What was decided, by outcome. */
  readonly counts = new Tally<UpgradeEvent>();
  readonly #parts: UpgradeJudgeParts;
  readonly #attempts: AttemptStore;
  readonly #timer: NodeJS.Timeout;
  #looking: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(parts: UpgradeJudgeParts) {
    this.#parts = parts;
    this.#attempts = new AttemptStore(parts.database);
    this.#timer = setInterval(() => void this.look(), LOOK_MS);
  }

  /** Decides what is due. Never rejects: the next look tries again. */
  look(): Promise<void> {
    this.#looking = this.#looking.then(() => this.#look());
    return this.#looking;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#looking;
  }

  async #look(): Promise<void> {
    if (this.#stopped) return;
    try {
      const due = await this.#attempts.due(this.#now(), BATCH);
      if (due.length === 0) return;
      await this.#parts.presence.flush();
      const fleets = new Map<string, readonly Delegate[]>();
      for (const attempt of due) {
        const { accountId } = attempt;
        const fleet = fleets.get(accountId) ?? (await this.#parts.delegates.ofAccount(accountId, this.#now()));
        fleets.set(accountId, fleet);
        const outcome = outcomeOf(attempt, fleet, (instance) => this.#isConnected(instance));
        await this.decide(attempt, outcome);
      }
    } catch (error) {
      this.#parts.logger.error({ err: error }, 'cannot see what came of upgrades; trying again');
    }
  }

  /** Puts an outcome on record, and stops the ring, or the account, when there are too many of its kind. */
  async decide(attempt: Attempt, outcome: Exclude<UpgradeOutcome, 'WAITING'>): Promise<void> {
    const { accountId, delegateName, toImage } = attempt;
    if (!(await this.#attempts.decide(attempt, outcome, this.#now()))) return;
    this.counts.add(outcome.toLowerCase() as Lowercase<typeof outcome>);
    if (outcome !== 'UNHEALTHY' && outcome !== 'NOT_BACK') return;
    const what = outcome === 'NOT_BACK' ? 'did not come back' : 'came back and left again';
    this.#parts.logger.warn({ accountId, delegateName, image: toImage }, `a delegate that was upgraded ${what}`);
    const release = await new ReleaseStore(this.#parts.database).find(attempt.releaseId);
    if (release === null || release.status === 'HALTED') return;
    // More of what was bad already changes no verdict, and whoever lets a thousand fail costs no thousand looks at the ring.
    if ((await this.#badInAccount(release, accountId, 1)) !== null) return;
    const own = await this.#badInAccount(release, accountId, 0);
    if (own !== null) await this.#tellAccount(release, accountId, own);
    const tallies = await this.#attempts.tallies(release.id, release.judgedFrom);
    const { ring } = release;
    // Not only those that called of late: an account that is alone in that would speak for everybody.
    const accounts = await new CheckStore(this.#parts.database).accountsOf(ring);
    const kept = { ...(await this.#kept({ ring })), accounts };
    const bad = badNews(tallies, kept, this.#parts.rule);
    if (bad !== null) await this.#halt(release, bad);
  }

  /** Why the account is given the release no more, whatever becomes of it elsewhere; null while it is. */
  async badInAccount(release: Release, accountId: string): Promise<string | null> {
    const bad = await this.#badInAccount(release, accountId, 0);
    return bad === null ? null : describeBadNews(bad, release.image);
  }

  /** Of an account by itself; `fewer` looks at it as it was before the last failures. */
  async #badInAccount(release: Release, accountId: string, fewer: number): Promise<BadNews | null> {
    const [tally] = await this.#attempts.tallies(release.id, release.judgedFrom, accountId);
    if (tally === undefined || tally.failed <= fewer) return null;
    const kept = { ...(await this.#kept({ accountId })), accounts: 1 };
    return badNews([{ ...tally, failed: tally.failed - fewer }], kept, this.#parts.rule);
  }

  async #tellAccount(release: Release, accountId: string, bad: BadNews): Promise<void> {
    const { database, clock, logger } = this.#parts;
    const { component, image } = release;
    const reason = describeBadNews(bad, image);
    await new AuditStore(database).append({
      ...{ accountId, at: clock.now(), actor: SYSTEM, action: 'upgrade.halted', subject: accountId },
      details: { component, image, reason },
    });
    logger.error({ accountId, component, image }, `the account is given the version no more: ${reason}`);
  }

  async #halt(release: Release, bad: BadNews): Promise<void> {
    const { database, clock, logger, rule } = this.#parts;
    const { id, component, image, ring } = release;
    const reason = describeBadNews(bad, image);
    const halted = await database.transaction().execute(async (transaction) => {
      if (!(await new ReleaseStore(transaction).halt(id, this.#now(), reason, SYSTEM))) return false;
      await new AuditStore(transaction).append({
        ...{ accountId: null, at: clock.now(), actor: SYSTEM, action: 'upgrade.halted', subject: ring },
        details: { component, image, reason, ...rule, ...bad },
      });
      return true;
    });
    if (!halted) return;
    this.counts.add('halted');
    logger.error({ ring, component, image, ...bad }, `the ring is halted: ${reason}`);
  }

  #kept(of: Parameters<CheckStore['kept']>[2]) {
    return new CheckStore(this.#parts.database).kept('DELEGATE', this.#now() - UPGRADER_GONE_AFTER_MS, of);
  }

  #isConnected(instance: Delegate): boolean {
    return this.#parts.presence.get(instance.accountId, instance.id) !== undefined || instance.connected;
  }

  #now(): number {
    return this.#parts.clock.now().getTime();
  }
}

/** What came of an attempt whose time is over. */
export function outcomeOf(
  { delegateName, toImage, offeredAt, takenAt }: Attempt,
  fleet: readonly Delegate[],
  isConnected: (instance: Delegate) => boolean,
): Exclude<UpgradeOutcome, 'WAITING'> {
  const tag = parseImageReference(toImage)?.tag ?? null;
  const instances = fleet.filter(({ name }) => delegateName === '' || name === delegateName);
  // Where the version does not tell, a restart looks like an upgrade: its upgrader has to say that it was one.
  const upgraded = instances.filter((instance) => runsTag(instance, tag, takenAt === null ? Infinity : offeredAt));
  if (upgraded.some(isConnected)) return 'HEALTHY';
  if (upgraded.length > 0) return 'UNHEALTHY';
  // An upgrader that names its delegate also says when it has changed it. In a dry run, without a right, or with an image
  // that it refuses it never does, and whatever happens to the delegate is no fault of the version.
  if (takenAt === null && delegateName !== '') return 'NOT_TAKEN';
  // One that was away before it was told to upgrade is not away because of that.
  if (!instances.some(({ lastSeen }) => lastSeen >= offeredAt - HEARTBEAT_MS)) return 'NOT_TAKEN';
  // A rollout whose new pods never become ready leaves the old ones running: taken, and not back.
  return takenAt === null && instances.some(isConnected) ? 'NOT_TAKEN' : 'NOT_BACK';
}
