import type { Check, Diagnosis } from '@sallyport/doctor';
import type { Logger } from 'pino';

export interface SelfExaminationParts {
  /** The doctor, on this delegate's own set-up; ends soon after the signal. */
  readonly diagnose: (signal: AbortSignal) => Promise<Diagnosis>;
  /** Failed attempts in a row until it looks. */
  readonly afterFailures: number;
  /** At most once in this time, in milliseconds. */
  readonly everyMs: number;
  readonly logger: Logger;
  readonly now?: () => number;
}

/** The verdict as the health answer shows it: what is wrong, with the cause first in line. */
export interface Verdict {
  readonly at: string;
  readonly status: Diagnosis['status'];
  readonly cause: ShownCheck | null;
  /** Every check that failed or warned. */
  readonly findings: readonly ShownCheck[];
}

type ShownCheck = Pick<Check, 'id' | 'title' | 'status' | 'evidence' | 'remedy'>;

/**
 * Looks for the cause when the connection fails again and again, beside the attempts to connect and never in their way.
 * The verdict goes to the log, and to whoever asks for the health.
 */
export class SelfExamination {
  readonly #parts: SelfExaminationParts;
  readonly #now: () => number;
  readonly #stop = new AbortController();
  #lastAt = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | null = null;
  #verdict: Verdict | null = null;

  constructor(parts: SelfExaminationParts) {
    this.#parts = parts;
    this.#now = parts.now ?? Date.now;
  }

  /** Of the last examination; null while there was none. */
  get verdict(): Verdict | null {
    return this.#verdict;
  }

  /** To be told of each failed attempt; returns at once. */
  onFailure(failuresInARow: number): void {
    const { afterFailures, everyMs } = this.#parts;
    if (failuresInARow < afterFailures || this.#running !== null || this.#stop.signal.aborted) return;
    if (this.#now() - this.#lastAt < everyMs) return;
    this.#lastAt = this.#now();
    this.#running = this.#examine().finally(() => {
      this.#running = null;
    });
  }

  /** Ends an examination under way; resolves when nothing of it is left. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** Never rejects: a doctor that fails is no reason for the delegate to. */
  async #examine(): Promise<void> {
    const { diagnose, logger } = this.#parts;
    try {
      const diagnosis = await diagnose(this.#stop.signal);
      if (this.#stop.signal.aborted) return;
      this.#verdict = verdictOf(diagnosis);
      this.#tell(diagnosis);
    } catch (error) {
      logger.warn({ err: error }, 'the doctor could not look at the connection');
    }
  }

  #tell({ status, cause, class: where }: Diagnosis): void {
    const { logger } = this.#parts;
    if (cause === null) {
      logger.warn('the doctor finds nothing wrong: every check of the connection passes now');
      return;
    }
    const { id, remedy, readyToSend } = cause;
    const details = { check: id, class: where, remedy, ...(readyToSend === null ? {} : { readyToSend }) };
    const found = status === 'fail' ? 'the doctor found the cause' : 'the doctor found nothing that fails, but';
    logger.warn(details, `${found}: ${cause.title}: ${cause.evidence}`);
  }
}

function verdictOf({ at, status, cause, checks }: Diagnosis): Verdict {
  const findings = checks.filter((check) => check.status === 'fail' || check.status === 'warn');
  return {
    at: new Date(at).toISOString(),
    status,
    cause: cause === null ? null : shown(cause),
    findings: findings.map(shown),
  };
}

const shown = ({ id, title, status, evidence, remedy }: Check): ShownCheck => ({ id, title, status, evidence, remedy });
