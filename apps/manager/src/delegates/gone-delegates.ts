import type { Expression, ExpressionBuilder, SqlBool } from 'kysely';
import type { Schema } from '../database/schema.ts';

type Where = ExpressionBuilder<Schema, 'delegates'>;

/** How long lists show an instance that has gone. */
export const LISTED_AFTER_LEAVING_MS = 6 * 3_600_000;
/** How long is remembered, for whoever asks who would be cut off, when and how an instance was last here. */
export const REMEMBERED_MS = 90 * 86_400_000;
/** A rolling update starts the new instance first and may take this long to end the old one. */
const OVERLAP_MS = 3_600_000;

export function isListed(now: number) {
  return (where: Where): Expression<SqlBool> =>
    where.or([
      where('delegates.disconnected_at', 'is', null),
      where('delegates.disconnected_at', '>=', now - LISTED_AFTER_LEAVING_MS),
    ]);
}

/**
 * Whether a newer instance of the same name took its place: one that registered after it, and no more than an hour
 * before it left. A pod of a Deployment that was rolled over is replaced. Of two hosts with one delegate name neither
 * replaces the other: they ran side by side for longer.
 */
export function isReplaced(where: Where): Expression<SqlBool> {
  return where.exists(
    where
      .selectFrom('delegates as newer')
      .select('newer.id')
      .whereRef('newer.account_id', '=', 'delegates.account_id')
      .whereRef('newer.name', '=', 'delegates.name')
      .where((other) =>
        other.or([
          other('newer.registered_at', '>', other.ref('delegates.registered_at')),
          other.and([
            other('newer.registered_at', '=', other.ref('delegates.registered_at')),
            other('newer.id', '>', other.ref('delegates.id')),
          ]),
        ]),
      )
      .where((other) =>
        other('newer.registered_at', '>=', other(other.ref('delegates.disconnected_at'), '-', OVERLAP_MS)),
      ),
  );
}
