import { type RevocationList, shareOfLife } from '@sallyport/trust';

/** The shares of a list's life, in percent, that people are told of. */
export const NOTICE_AT = [50, 80, 95] as const;
export type NoticeAt = (typeof NOTICE_AT)[number];

type Life = Pick<RevocationList, 'thisUpdate' | 'nextUpdate'>;

/** The last of those shares that has been reached; null before the first. */
export function noticeReached(list: Life, now: Date): NoticeAt | null {
  const passed = shareOfLife(list, now) * 100;
  return NOTICE_AT.findLast((share) => passed >= share) ?? null;
}

/** The moment at which the next share after `reached` is; null after the last. */
export function nextNoticeAt({ thisUpdate, nextUpdate }: Life, reached: NoticeAt | null): number | null {
  const next = NOTICE_AT.find((share) => reached === null || share > reached);
  if (next === undefined) return null;
  const life = nextUpdate.getTime() - thisUpdate.getTime();
  return Math.ceil(thisUpdate.getTime() + (life * next) / 100);
}
