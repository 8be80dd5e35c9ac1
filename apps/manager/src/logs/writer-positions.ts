import type { Kysely } from 'kysely';
import type { Schema } from '../database/schema.ts';
import type { Chunk } from './log-chunk.ts';

/** The lines of one write as their writer numbers them: one position each, growing. */
export interface Positions {
  readonly writer: string;
  readonly of: readonly number[];
}

/** Of one log that are remembered beyond its stream: whoever makes up a name for each write must not fill the blob's row. */
const MAX_WRITERS = 100;

/**
 * Takes note of a write. Null when all of it is new; otherwise the position up to which it is there already, because it
 * was committed and its answer lost.
 */
export async function advancePosition(
  transaction: Kysely<Schema>,
  streamId: string,
  { writer, of }: Positions,
): Promise<number | null> {
  const [first, last] = [of[0], of.at(-1)];
  if (first === undefined || last === undefined) return null;
  const taken = await transaction
    .insertInto('log_writers')
    .values({ stream_id: streamId, writer, last_pos: last })
    .onConflict((conflict) =>
      conflict
        .columns(['stream_id', 'writer'])
        .doUpdateSet({ last_pos: last })
        .where('log_writers.last_pos', '<', first),
    )
    .returning('last_pos')
    .executeTakeFirst();
  if (taken !== undefined) return null;
  const row = transaction.selectFrom('log_writers').where('stream_id', '=', streamId).where('writer', '=', writer);
  const { last_pos: known } = await row.select('last_pos').executeTakeFirstOrThrow();
  if (known < last) {
    await transaction
      .updateTable('log_writers')
      .set({ last_pos: last })
      .where('stream_id', '=', streamId)
      .where('writer', '=', writer)
      .execute();
  }
  return known;
}

/** Up to where each writer's lines are in a stream. */
export async function readPositions(
  transaction: Kysely<Schema>,
  streamId: string,
): Promise<Readonly<Record<string, number>>> {
  const rows = await transaction
    .selectFrom('log_writers')
    .select(['writer', 'last_pos'])
    .where('stream_id', '=', streamId)
    .limit(MAX_WRITERS)
    .execute();
  return Object.fromEntries(rows.map(({ writer, last_pos }) => [writer, last_pos]));
}

export async function putPositions(
  transaction: Kysely<Schema>,
  streamId: string,
  known: Readonly<Record<string, number>>,
): Promise<void> {
  const rows = Object.entries(known).map(([writer, last_pos]) => ({ stream_id: streamId, writer, last_pos }));
  if (rows.length > 0) await transaction.insertInto('log_writers').values(rows).execute();
}

/** Of a write's chunks the lines behind the position `known`. */
export function freshOf(chunks: readonly Chunk[], { of }: Positions, known: number): Chunk[] {
  let stale = of.findIndex((position) => position > known);
  if (stale < 0) return [];
  return chunks.flatMap((chunk) => {
    const skip = Math.min(stale, chunk.lines);
    stale -= skip;
    return skip === chunk.lines ? [] : [without(chunk, skip)];
  });
}

function without(chunk: Chunk, lines: number): Chunk {
  let at = 0;
  for (let line = 0; line < lines; line += 1) at = chunk.body.indexOf('\n', at) + 1;
  return { lines: chunk.lines - lines, body: chunk.body.subarray(at) };
}
