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
import { type Release, ReleaseStore } from './release-store.ts';
import { runsTag } from './running-version.ts';

export interface UpgradeJudgeParts {
  readonly database: Kysely<Schema>;
  readonly delegates: DelegateStore;
  readonly presence: Presence;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A ring stops when this share of the judged delegates, or more, failed. */
  readonly failurePercent: number;
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
        await this.#decide(attempt, fleet);
      }
      for (const releaseId of new Set(due.map((attempt) => attempt.releaseId))) await this.#haltIfBad(releaseId);
    } catch (error) {
      this.#parts.logger.error({ err: error }, 'cannot see what came of upgrades; trying again');
    }
  }

  async #decide(attempt: Attempt, fleet: readonly Delegate[]): Promise<void> {
    const { accountId, delegateName, toImage } = attempt;
    const outcome = outcomeOf(attempt, fleet, (instance) => this.#isConnected(instance));
    if (!(await this.#attempts.decide(attempt, outcome, this.#now()))) return;
    this.counts.add(outcome.toLowerCase() as Lowercase<typeof outcome>);
    if (outcome === 'UNHEALTHY' || outcome === 'NOT_BACK') {
      const what = outcome === 'NOT_BACK' ? 'did not come back' : 'came back and left again';
      this.#parts.logger.warn({ accountId, delegateName, image: toImage }, `a delegate that was upgraded ${what}`);
    }
  }

  async #haltIfBad(releaseId: string): Promise<void> {
    const releases = new ReleaseStore(this.#parts.database);
    const release = await releases.find(releaseId);
    if (release === null || release.status === 'HALTED') return;
    const { failed, healthy } = await this.#attempts.counts(releaseId, release.judgedFrom);
    if (failed === 0 || failed * 100 < this.#parts.failurePercent * (failed + healthy)) return;
    const reason = `${failed} of ${failed + healthy} delegates that took ${release.image} came back unhealthy or not at all.`;
    await this.#halt(release, reason, { failed, healthy });
  }

  async #halt(release: Release, reason: string, counts: Readonly<Record<string, number>>): Promise<void> {
    const { database, clock, logger, failurePercent } = this.#parts;
    const { component, image, ring } = release;
    const halted = await database.transaction().execute(async (transaction) => {
      // In every ring: an image that breaks delegates here breaks them there.
      const ids = await new ReleaseStore(transaction).haltImage(component, image, this.#now(), reason);
      if (ids.length === 0) return false;
      await new AuditStore(transaction).append({
        ...{ accountId: null, at: clock.now(), actor: 'system', action: 'upgrade.halted', subject: ring },
        details: { component, image, reason, failurePercent, ...counts },
      });
      return true;
    });
    if (!halted) return;
    this.counts.add('halted');
    logger.error({ ring, component, image, ...counts }, `the ring is halted: ${reason}`);
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
  const upgraded = instances.filter((instance) => runsTag(instance, tag, offeredAt));
  if (upgraded.some(isConnected)) return 'HEALTHY';
  if (upgraded.length > 0) return 'UNHEALTHY';
  // One that was away before it was told to upgrade is not away because of that.
  if (!instances.some(({ lastSeen }) => lastSeen >= offeredAt - HEARTBEAT_MS)) return 'NOT_TAKEN';
  // A rollout whose new pods never become ready leaves the old ones running: taken, and not back.
  return takenAt === null && instances.some(isConnected) ? 'NOT_TAKEN' : 'NOT_BACK';
}
