const RANGES = [
  [0, 59],
  [0, 23],
  [1, 31],
  [1, 12],
  [0, 7],
] as const;

/** A cron schedule of five fields: numbers, `*`, ranges, lists and steps. Local time, as cron has it. */
export class CronSchedule {
  readonly #fields: readonly ReadonlySet<number>[];
  /** When both days are restricted, one of them has to fit, as cron has it. */
  readonly #eitherDay: boolean;

  private constructor(fields: readonly ReadonlySet<number>[], eitherDay: boolean) {
    this.#fields = fields;
    this.#eitherDay = eitherDay;
  }

  /** Null when the text is no schedule. */
  static parse(text: string): CronSchedule | null {
    const parts = text.trim().split(/\s+/);
    if (parts.length !== RANGES.length) return null;
    const fields: ReadonlySet<number>[] = [];
    for (const [index, [lowest, highest]] of RANGES.entries()) {
      const values = parseField(parts[index] ?? '', lowest, highest);
      if (values === null) return null;
      fields.push(values);
    }
    return new CronSchedule(fields, !parts[2]?.startsWith('*') && !parts[4]?.startsWith('*'));
  }

  matches(date: Date): boolean {
    const has = (index: number, value: number) => this.#fields[index]?.has(value) === true;
    if (!has(0, date.getMinutes()) || !has(1, date.getHours()) || !has(3, date.getMonth() + 1)) return false;
    const day = has(2, date.getDate());
    const weekday = has(4, date.getDay()) || (date.getDay() === 0 && has(4, 7));
    return this.#eitherDay ? day || weekday : day && weekday;
  }
}

function parseField(text: string, lowest: number, highest: number): ReadonlySet<number> | null {
  const values = new Set<number>();
  for (const part of text.split(',')) {
    const [, star, from, to, step = '1'] = /^(?:(\*)|(\d{1,2})(?:-(\d{1,2}))?)(?:\/(\d{1,2}))?$/.exec(part) ?? [];
    if (star === undefined && from === undefined) return null;
    const first = star === undefined ? Number(from) : lowest;
    const last = star !== undefined ? highest : to === undefined ? (part.includes('/') ? highest : first) : Number(to);
    if (first < lowest || last > highest || first > last || Number(step) < 1) return null;
    for (let value = first; value <= last; value += Number(step)) values.add(value);
  }
  return values;
}
