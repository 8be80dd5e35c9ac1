import type { UpgradeComponent } from '@sallyport/protocol';

/** What became of a version in the canary, for whoever wants to give it to the rest. */
export interface CanaryTrial {
  readonly component: UpgradeComponent;
  readonly image: string;
  /** What the canary publishes, and why not any more; null when it publishes nothing. */
  readonly published: { readonly image: string; readonly haltedReason: string | null; readonly halted: boolean } | null;
  /** Accounts that were put into the canary, and the delegates (or upgraders) there whose upgrader calls. */
  readonly accounts: number;
  readonly kept: number;
  readonly took: number;
  readonly healthy: number;
  readonly failed: number;
  /** Accounts in which too many of those that took it failed, of those in which it was taken. */
  readonly failingAccounts: number;
  readonly tookAccounts: number;
  /** The share of failures, of delegates or of accounts, with which a ring stops. */
  readonly failurePercent: number;
  /** When the next of those that took it is judged, epoch milliseconds. */
  readonly nextJudgedAt: number | null;
  readonly watchMs: number;
}

export interface TrialWarning {
  readonly code: 'UNTRIED_VERSION' | 'FAILED_IN_CANARY';
  readonly message: string;
}

export type TrialVerdict =
  | { readonly passed: true; readonly warning: TrialWarning | null }
  | { readonly passed: false; readonly message: string; readonly remedy: string };

const GO_AHEAD = 'or go ahead without it (force, --force)';

/**
 * Whether the rest may have it: one of the canary took it and is healthy and no more failed than a ring bears, or there is
 * nobody in the canary to try it.
 */
export function verdictOn(trial: CanaryTrial): TrialVerdict {
  const { image, published, accounts, kept, took, healthy, failed, nextJudgedAt, watchMs } = trial;
  const what = trial.component === 'DELEGATE' ? 'delegate' : 'upgrader';
  const ofAll = kept === 1 ? `of the one ${what}` : `of the ${kept} ${what}s`;
  const watch = `${Math.round(watchMs / 60_000)} minutes`;
  if (published?.image === image && published.halted) {
    return refused(
      `${image} is halted in ring canary: ${published.haltedReason}`,
      `Publish another version, resume the canary first, ${GO_AHEAD}.`,
    );
  }
  if (kept === 0) {
    const nobody = accounts === 0 ? 'no account is in it' : `no upgrader of its accounts (${accounts}) is calling`;
    const message = `It goes to ring stable untried: ring canary cannot try it, as ${nobody}.`;
    return { passed: true, warning: { code: 'UNTRIED_VERSION', message } };
  }
  if (published?.image !== image) {
    return refused(
      `${image} was not tried: ring canary has ${published?.image ?? 'nothing'}.`,
      `Publish it to ring canary first and wait until its ${what}s took it, ${GO_AHEAD}.`,
    );
  }
  if (healthy > 0 && failed > 0) {
    const share = `${failed} of the ${took} ${what}s that took it in ring canary failed, too many in ${trial.failingAccounts} of ${trial.tookAccounts} accounts`;
    if (!failedTooOften(trial)) {
      return {
        passed: true,
        warning: { code: 'FAILED_IN_CANARY', message: `It goes to ring stable although ${share}.` },
      };
    }
    return refused(
      `${image} is not known to work: ${share}.`,
      `Look at why they failed (sallyport upgrade status --account ACCOUNT) and publish another version, ${GO_AHEAD}.`,
    );
  }
  if (healthy > 0) return { passed: true, warning: null };
  if (took === 0) {
    return refused(
      `${image} was not tried: ${ofAll} in ring canary none has taken it.`,
      `Wait until their upgraders have called and they have been healthy for ${watch}, ${GO_AHEAD}.`,
    );
  }
  const when = nextJudgedAt === null ? '' : `: the next is judged at ${new Date(nextJudgedAt).toISOString()}`;
  return refused(
    `${image} is not known to work: ${ofAll} in ring canary ${took} took it, 0 are healthy and ${failed} failed.`,
    `Wait until one has been healthy for ${watch}${when}, ${GO_AHEAD}.`,
  );
}

/** One that works says nothing of the others, and an account with many that work nothing of the other accounts. */
function failedTooOften({ failed, took, failingAccounts, tookAccounts, failurePercent }: CanaryTrial): boolean {
  return failed * 100 >= failurePercent * took || failingAccounts * 100 >= failurePercent * tookAccounts;
}

function refused(message: string, remedy: string): TrialVerdict {
  return { passed: false, message, remedy };
}
