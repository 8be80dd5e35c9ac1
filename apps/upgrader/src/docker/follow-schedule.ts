import { setTimeout as sleep } from 'node:timers/promises';
import { CronSchedule } from '../schedule.ts';

const MINUTE_MS = 60_000;

/** Runs `work` at once and then at every minute that the schedule names, one at a time, until the signal is aborted. */
export async function followSchedule(
  text: string,
  work: () => Promise<unknown>,
  signal: AbortSignal = new AbortController().signal,
): Promise<void> {
  const schedule = CronSchedule.parse(text);
  if (schedule === null) throw new TypeError(`"${text}" is not a cron schedule`);
  await work();
  while (!signal.aborted) {
    await untilNextMinute(signal);
    if (!signal.aborted && schedule.matches(new Date())) await work();
  }
}

async function untilNextMinute(signal: AbortSignal): Promise<void> {
  try {
    await sleep(MINUTE_MS - (Date.now() % MINUTE_MS), undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
