import type { LimitName } from '../gateway/gateway-counts.ts';
import type { AnsweredRequest } from '../http/app.ts';
import type { Tally } from './tally.ts';

/** Upper bounds in seconds. A heartbeat takes under a millisecond, a held poll up to 25 seconds. */
export const DURATIONS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30];
/** The standard methods; a client may invent others. */
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

export interface RouteCounts {
  /** By method, then by the hundreds of the status. */
  readonly answers: Map<string, number[]>;
  /** How many took no longer than the bound of the same index, and longer than the one before; the last: than any. */
  readonly durations: number[];
  seconds: number;
}

/**
 * Requests by route *template*: a path that a client made up is counted as `none`, all of them as one. Plain numbers that
 * are read at a scrape: looking a counter up by its labels at each request costs more than its token does.
 */
export class RequestMetrics {
  readonly #routes = new Map<string, RouteCounts>();
  readonly #limits: Tally<LimitName>;

  constructor(limits: Tally<LimitName>) {
    this.#limits = limits;
  }

  get routes(): ReadonlyMap<string, RouteCounts> {
    return this.#routes;
  }

  answered({ route = 'none', method, status, milliseconds }: AnsweredRequest): void {
    let counts = this.#routes.get(route);
    if (counts === undefined) {
      counts = { answers: new Map(), durations: [...DURATIONS, 0].fill(0), seconds: 0 };
      this.#routes.set(route, counts);
    }
    const known = METHODS.has(method) ? method : 'OTHER';
    let answers = counts.answers.get(known);
    if (answers === undefined) {
      answers = Array<number>(10).fill(0);
      counts.answers.set(known, answers);
    }
    const hundreds = Math.trunc(status / 100);
    answers[hundreds] = (answers[hundreds] ?? 0) + 1;
    const seconds = milliseconds / 1_000;
    const bound = DURATIONS.findIndex((most) => seconds <= most);
    const index = bound < 0 ? DURATIONS.length : bound;
    counts.durations[index] = (counts.durations[index] ?? 0) + 1;
    counts.seconds += seconds;
    if (status === 413) this.#limits.add('body_size');
  }
}
