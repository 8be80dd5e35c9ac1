import { DatabaseSync } from 'node:sqlite';

/**
 * Multiplies what the manager itself has written: `count` copies of the one row of `table` where `column` is `value`, each
 * with the given columns made different by its number. One transaction takes a second where ten thousand API calls take
 * many minutes. The manager has to be stopped. Throws when there is no such row.
 */
export function cloneRows(
  file: string,
  row: { readonly table: string; readonly column: string; readonly value: string },
  count: number,
  different: Readonly<Record<string, (number: number) => string>>,
): void {
  const database = new DatabaseSync(file);
  try {
    const found = database.prepare(`SELECT * FROM ${row.table} WHERE ${row.column} = ?`).get(row.value);
    if (found === undefined) throw new Error(`${row.table} has no row where ${row.column} is ${row.value}`);
    const columns = Object.keys(found);
    const insert = database.prepare(
      `INSERT INTO ${row.table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`,
    );
    database.exec('BEGIN');
    for (let number = 0; number < count; number += 1) {
      insert.run(...columns.map((column) => different[column]?.(number) ?? found[column] ?? null));
    }
    database.exec('COMMIT');
  } finally {
    database.close();
  }
}
