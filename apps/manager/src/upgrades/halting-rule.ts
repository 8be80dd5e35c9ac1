/** What came of a release in one account. */
export interface AccountTally {
  readonly accountId: string;
  /** Delegates that were told to take it. */
  readonly offered: number;
  readonly waiting: number;
  /** Those of the waiting that took it and have time left to come back. */
  readonly taken: number;
  readonly healthy: number;
  readonly failed: number;
}

/** Who there is in a ring. */
export interface Kept {
  /** Accounts with delegates or upgraders. */
  readonly accounts: number;
  /** Delegates that upgraders keep current. */
  readonly delegates: number;
}

export interface HaltingRule {
  /** Of what took the version, this share or more has to fail. */
  readonly failurePercent: number;
  /** Fewer failures say more about those delegates than about the version; all of them, where there are fewer. */
  readonly failuresAtLeast: number;
}

export interface BadNews {
  readonly failed: number;
  readonly took: number;
  readonly failingAccounts: number;
  readonly tookAccounts: number;
}

/**
 * Whoever holds one account's token can register delegates, say that they took a version and let them die: were delegates
 * counted alone, one account would stop the upgrades of everybody, and with healthy ones hide that a version breaks others.
 */
const ACCOUNTS_AT_LEAST = 2;

/**
 * Why a version should be given out no more, or null. Each account counts once, as failing when its own share is reached:
 * how many delegates it has makes no difference. Only what took the version counts, be it told often enough.
 */
export function badNews(tallies: readonly AccountTally[], kept: Kept, rule: HaltingRule): BadNews | null {
  const took = tallies.filter((tally) => tookOf(tally) > 0);
  const failing = took.filter((tally) => isFailing(tally, rule));
  const failed = sum(failing.map((tally) => tally.failed));
  const accounts = Math.max(kept.accounts, took.length);
  const delegates = Math.max(kept.delegates, sum(took.map(tookOf)));
  if (failing.length < Math.min(ACCOUNTS_AT_LEAST, accounts) || !reaches(failing.length, took.length, rule))
    return null;
  if (failed < Math.min(rule.failuresAtLeast, delegates)) return null;
  return {
    failed: sum(took.map((tally) => tally.failed)),
    took: sum(took.map(tookOf)),
    failingAccounts: failing.length,
    tookAccounts: took.length,
  };
}

/** As a sentence. */
export function describeBadNews({ failed, took, failingAccounts, tookAccounts }: BadNews, image: string): string {
  const where = tookAccounts === 1 ? '' : `, too many in ${failingAccounts} of ${tookAccounts} accounts`;
  return `${failed} of ${took} delegates that took ${image} came back unhealthy or not at all${where}.`;
}

/** Whether its own share of failures is reached. */
export function isFailing(tally: AccountTally, rule: HaltingRule): boolean {
  return reaches(tally.failed, tookOf(tally), rule);
}

export function tookOf({ taken, healthy, failed }: AccountTally): number {
  return taken + healthy + failed;
}

function reaches(failed: number, of: number, { failurePercent }: HaltingRule): boolean {
  return failed > 0 && failed * 100 >= failurePercent * of;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
