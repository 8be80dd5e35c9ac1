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
  /** When the next of those that took it is judged, epoch milliseconds. */
  readonly nextJudgedAt: number | null;
  readonly watchMs: number;
}

export type TrialVerdict =
  | { readonly passed: true; readonly warning: string | null }
  | { readonly passed: false; readonly message: string; readonly remedy: string };

const GO_AHEAD = 'or go ahead without it (force, --force)';

/** Whether the rest may have it: one of the canary took it and is healthy, or there is nobody in the canary to try it. */
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
    return { passed: true, warning: `It goes to ring stable untried: ring canary cannot try it, as ${nobody}.` };
  }
  if (published?.image !== image) {
    return refused(
      `${image} was not tried: ring canary has ${published?.image ?? 'nothing'}.`,
      `Publish it to ring canary first and wait until its ${what}s took it, ${GO_AHEAD}.`,
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

function refused(message: string, remedy: string): TrialVerdict {
  return { passed: false, message, remedy };
}
