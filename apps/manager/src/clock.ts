/** Whoever needs the time is given it, so that a test can be at any moment. */
export interface Clock {
  now(): Date;
}

export const systemClock: Clock = { now: () => new Date() };
