import { setTimeout as delay } from 'node:timers/promises';
import { Backoff, ManagerError } from '@sallyport/client';
import type { TaskResponse } from '@sallyport/protocol';
import type { Logger } from 'pino';

export interface ReporterParts {
  readonly send: (delegateId: string, taskId: string, response: TaskResponse) => Promise<void>;
  readonly baseMs: number;
  readonly maxMs: number;
  readonly logger: Logger;
}

/**
 * Delivers results until the manager has taken them. They are kept in memory: a restart of the manager, an expired
 * certificate or a cut line costs time, never a result; only the end of this process would.
 */
export class ResultReporter {
  readonly #parts: ReporterParts;
  readonly #pending = new Map<string, Promise<void>>();
  readonly #giveUp = new AbortController();
  #wake = new AbortController();

  constructor(parts: ReporterParts) {
    this.#parts = parts;
  }

  /** Results that the manager has not taken yet. */
  get unreported(): number {
    return this.#pending.size;
  }

  has(taskId: string): boolean {
    return this.#pending.has(taskId);
  }

  /** Takes charge of the result. */
  report(delegateId: string, taskId: string, response: TaskResponse): void {
    this.#pending.set(taskId, this.#deliver(delegateId, taskId, response));
  }

  /** The connection is back: what waits for its next attempt is tried now. */
  retryNow(): void {
    this.#wake.abort();
    this.#wake = new AbortController();
  }

  /** Resolves when nothing is unreported, or after `withinMs`; true in the first case. */
  async flushed(withinMs: number): Promise<boolean> {
    const over = new AbortController();
    const timeout = delay(withinMs, undefined, { signal: over.signal }).catch(() => undefined);
    await Promise.race([Promise.all(this.#pending.values()), timeout]);
    over.abort();
    return this.#pending.size === 0;
  }

  /** Ends all attempts; what is unreported is lost and said so. */
  abandon(): void {
    if (this.#pending.size > 0) {
      this.#parts.logger.error(
        { taskIds: [...this.#pending.keys()] },
        'results were not taken by the manager and are lost',
      );
    }
    this.#giveUp.abort();
    this.retryNow();
  }

  /** Never rejects. */
  async #deliver(delegateId: string, taskId: string, response: TaskResponse): Promise<void> {
    const { send, baseMs, maxMs, logger } = this.#parts;
    const backoff = new Backoff({ baseMs, maxMs });
    let toSend = response;
    for (let attempt = 1; !this.#giveUp.signal.aborted; attempt += 1) {
      try {
        await send(delegateId, taskId, toSend);
        logger.debug({ taskId, attempt }, 'the manager took the result');
        break;
      } catch (error) {
        const verdict = judge(error);
        if (verdict === 'drop') {
          logger.error({ taskId, err: error }, 'the manager does not want the result of this task; it is dropped');
          break;
        }
        if (verdict === 'shrink' && toSend === response) {
          toSend = withoutOutput(response);
          continue;
        }
        if (attempt === 1) logger.warn({ taskId, err: error }, 'the result could not be reported; trying again');
        await this.#pause(backoff.next(error instanceof ManagerError ? error.retryAfterMs : 0));
      }
    }
    this.#pending.delete(taskId);
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#wake.signal }).catch(() => undefined);
  }
}

/** A refusal (401, 403, 421) passes: somebody renews the certificate or the mode goes back. */
function judge(error: unknown): 'retry' | 'shrink' | 'drop' {
  if (!(error instanceof ManagerError)) return 'retry';
  if (error.status === 413) return 'shrink';
  return [400, 404, 409].includes(error.status) ? 'drop' : 'retry';
}

function withoutOutput(response: TaskResponse): TaskResponse {
  const error = `${response.error ?? 'The task succeeded, but'} its output was larger than the manager takes and is left out.`;
  return { ...response, code: 'FAILED', data: null, error };
}
