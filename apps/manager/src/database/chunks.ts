/** With a few columns each, far below what a statement may bind: 32,766 parameters in SQLite, 65,535 in PostgreSQL. */
const ROWS_A_STATEMENT = 500;

/** The rows in their order, as many at a time as go into one statement. */
export function* chunksOf<T>(rows: readonly T[]): Generator<readonly T[]> {
  for (let start = 0; start < rows.length; start += ROWS_A_STATEMENT) yield rows.slice(start, start + ROWS_A_STATEMENT);
}
