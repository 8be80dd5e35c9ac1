import { CHECKS, type Check, type CheckClass, judgeAll } from './check.ts';
import { ADMISSION_RULES } from './checks/admission.ts';
import { CERTIFICATE_RULES } from './checks/certificate.ts';
import { NETWORK_RULES } from './checks/network.ts';
import { SET_UP_RULES } from './checks/set-up.ts';
import { type DoctorInput, examine } from './examine.ts';
import { cleaner, redact } from './redact.ts';
import type { Seen } from './seen.ts';

export interface Diagnosis {
  /** fail: this delegate cannot work; warn: it works, and something is worth mending. */
  readonly status: 'pass' | 'warn' | 'fail';
  /** What everything else follows from: the first check that failed, else the first warning. */
  readonly cause: Check | null;
  /** Where the cause lies; null when there is none. */
  readonly class: CheckClass | null;
  readonly checks: readonly Check[];
  /** Address of the manager; null when the environment names none. */
  readonly manager: string | null;
  readonly accountId: string | null;
  /** Epoch milliseconds, by this machine's clock. */
  readonly at: number;
  /** What the manager's clock is ahead of this one's, in milliseconds; null when it did not answer. */
  readonly clockSkewMs: number | null;
  readonly tookMs: number;
}

const RULES = [...SET_UP_RULES, ...CERTIFICATE_RULES, ...NETWORK_RULES, ...ADMISSION_RULES];

/**
 * Walks the whole path of a delegate's connection and says what is wrong with it. Never rejects, ends within the limits
 * of time, changes nothing at the manager (docs/doctor.md tells what it sends) and shows no secret.
 */
export async function diagnose(input: DoctorInput): Promise<Diagnosis> {
  const startedAt = performance.now();
  const seen = await examine(input);
  return judge(seen, Math.round(performance.now() - startedAt));
}

/** The judgement of what was seen. Pure. */
export function judge(seen: Seen, tookMs: number): Diagnosis {
  const checks = redact(judgeAll(RULES, seen), seen);
  const cause =
    checks.find(({ status }) => status === 'fail') ?? checks.find(({ status }) => status === 'warn') ?? null;
  const clean = cleaner(seen);
  const { manager, accountId } = seen.setup;
  return {
    status: cause?.status === 'fail' || cause?.status === 'warn' ? cause.status : 'pass',
    cause,
    class: cause === null ? null : CHECKS[cause.id].class,
    checks,
    manager: manager === null ? null : clean(manager.url),
    accountId: accountId === null ? null : clean(accountId),
    at: seen.now,
    clockSkewMs: seen.skewMs,
    tookMs,
  };
}
