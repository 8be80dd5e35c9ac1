import type { LogServiceTimeouts } from '../logs/log-service.ts';
import type { LogTimings } from '../logs/log-stream.ts';

/** Every interval the delegate lives by, in milliseconds. Not from the environment: tests shorten them. */
export interface Timings {
  /** Bounds of the waits between two attempts to connect. */
  readonly reconnectBaseMs: number;
  readonly reconnectMaxMs: number;
  /** After so many failed attempts in a row the doctor looks for the cause, and again at most this often. */
  readonly diagnoseAfterFailures: number;
  readonly diagnoseEveryMs: number;
  /** Bounds of the waits between two attempts to report a result. */
  readonly reportBaseMs: number;
  readonly reportMaxMs: number;
  /** Heartbeats, on the stream or beside the long poll. */
  readonly heartbeatMs: number;
  /** How long a poll is held by the manager, in whole seconds. */
  readonly pollWaitSeconds: number;
  /** Pause after a poll that brought only what cannot be taken now: the next answer would be the same at once. */
  readonly pollPauseMs: number;
  /** After falling back to long poll, push is tried again after this. */
  readonly pushRetryMs: number;
  /** A stream that ends sooner than this, three times in a row, counts as one that something in between cuts. */
  readonly shortStreamMs: number;
  /** From TERM to KILL of a task's processes. */
  readonly killGraceMs: number;
  /** What the last reports and the goodbye may take after the grace period. */
  readonly farewellMs: number;
  readonly logs: LogTimings & LogServiceTimeouts;
}

export const DEFAULT_TIMINGS: Timings = {
  reconnectBaseMs: 2000,
  reconnectMaxMs: 60_000,
  diagnoseAfterFailures: 3,
  diagnoseEveryMs: 600_000,
  reportBaseMs: 1000,
  reportMaxMs: 30_000,
  heartbeatMs: 30_000,
  pollWaitSeconds: 25,
  pollPauseMs: 2000,
  pushRetryMs: 120_000,
  shortStreamMs: 30_000,
  killGraceMs: 5000,
  farewellMs: 7000,
  logs: {
    flushMs: 500,
    gatherMs: 25,
    slowMs: 2000,
    retryBaseMs: 500,
    retryMaxMs: 15_000,
    requestMs: 60_000,
  },
};
