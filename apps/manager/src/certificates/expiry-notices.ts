import { EXPIRY_NOTICE_DAYS } from '@sallyport/protocol';

export const DAY_MS = 86_400_000;

interface Life {
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Whole days until the end, rounded down; 0 after it. */
export const daysLeft = ({ notAfter }: Pick<Life, 'notAfter'>, now: number): number =>
  Math.max(Math.floor((notAfter - now) / DAY_MS), 0);

/** The nearest of the days before its end that has been reached; null before the first. */
export function noticeReached({ notAfter }: Pick<Life, 'notAfter'>, now: number): number | null {
  return EXPIRY_NOTICE_DAYS.findLast((days) => notAfter - now <= days * DAY_MS) ?? null;
}

/** When to tell after the notice of `reached` days has been given; null after the last. */
export function nextNoticeAt({ notAfter }: Pick<Life, 'notAfter'>, reached: number | null): number | null {
  const next = EXPIRY_NOTICE_DAYS.find((days) => reached === null || days < reached);
  return next === undefined ? null : notAfter - next * DAY_MS;
}

/**
 * When to tell of a certificate that is seen for the first time: at once when it is close to its end already. Never of
 * one that lives for less than a day: whoever issues those renews them by machine, and each would be told of.
 */
export function firstNoticeAt(life: Life, now: number): number | null {
  if (life.notAfter - life.notBefore < DAY_MS) return null;
  return noticeReached(life, now) === null ? nextNoticeAt(life, null) : now;
}
