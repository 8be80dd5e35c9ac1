import { DEFAULT_NOT_SEEN_DAYS, SallyportError } from '@sallyport/protocol';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { REMEMBERED_MS } from '../delegates/gone-delegates.ts';
import type { Safety } from './endpoint-writer.ts';

const SHORTEST_MS = 30_000;
const LONGEST_MS = 86_400_000;
/** ISO 8601: days, hours, minutes and seconds, whole numbers. */
const DURATION = /^P(?:(\d{1,6})D)?(?:T(?=\d)(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6})S)?)?$/;

export const NotSeenForDays = Type.Optional(
  Type.Integer({
    minimum: 1,
    maximum: Math.floor(REMEMBERED_MS / 86_400_000),
    default: DEFAULT_NOT_SEEN_DAYS,
    description: 'Delegates that have been gone for longer are not expected back',
  }),
);

/** Query parameters of the calls that change an endpoint. */
export const safetyQuery = {
  onlyIfReady: Type.Optional(
    Type.Boolean({
      description:
        'Answer 409 with the list, and change nothing, while a delegate would be cut off. One that connects between ' +
        'this judgement and the change is cut off and named in metaData.cutOff',
    }),
  ),
  notSeenForDays: NotSeenForDays,
  revertAfter: Type.Optional(
    Type.String({
      description:
        'ISO 8601 duration from PT30S to P1D: the change is taken back then, unless POST endpoint/confirm comes first',
      examples: ['PT10M'],
    }),
  ),
};

export function safetyOf(query: { onlyIfReady?: boolean; notSeenForDays?: number; revertAfter?: string }): Safety {
  const { onlyIfReady = false, notSeenForDays = DEFAULT_NOT_SEEN_DAYS, revertAfter } = query;
  return {
    onlyIfReady: onlyIfReady ? { notSeenForDays } : null,
    revertAfterMs: revertAfter === undefined ? null : readRevertAfter(revertAfter),
  };
}

/** Milliseconds. Throws INVALID_REQUEST for what is no duration, or one outside the limits. */
export function readRevertAfter(text: string): number {
  const [, days, hours, minutes, seconds] = DURATION.exec(text) ?? [];
  const part = (value: string | undefined, milliseconds: number) => Number(value ?? 0) * milliseconds;
  const total = part(days, LONGEST_MS) + part(hours, 3_600_000) + part(minutes, 60_000) + part(seconds, 1_000);
  if (total >= SHORTEST_MS && total <= LONGEST_MS) return total;
  const why = total === 0 ? 'is no ISO 8601 duration' : 'is not between 30 seconds and 24 hours';
  throw new SallyportError('INVALID_REQUEST', `revertAfter '${text.slice(0, 40)}' ${why}. Nothing was changed.`, {
    remedy: 'Send a duration from PT30S to P1D, such as PT10M for ten minutes.',
  });
}

/**
 * A precaution that is spelt wrong, or given to a call that knows none, must not be dropped in silence: the change would
 * be made without it.
 */
export function refuseLostSafety(known: readonly string[]) {
  const precautions = Object.keys(safetyQuery);
  return async (request: FastifyRequest): Promise<void> => {
    for (const name of Object.keys(request.query as object)) {
      const meant = precautions.find((each) => each.toLowerCase() === name.replace(/[-_]/g, '').toLowerCase());
      if (meant === undefined || (name === meant && known.includes(name))) continue;
      const remedy = known.includes(meant)
        ? `Write ${meant}.`
        : 'onlyIfReady and revertAfter belong to PUT and PATCH of the endpoint.';
      throw new SallyportError('INVALID_REQUEST', `The parameter '${name}' is not known here. Nothing was changed.`, {
        remedy,
      });
    }
  };
}
