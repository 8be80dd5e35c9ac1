const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90s`, `1h30m`, `7d` as milliseconds; null for anything else, a bare number included: its unit would be a guess. */
export function parseDuration(text: string): number | null {
  if (!/^(\d+(ms|[smhd]))+$/.test(text)) return null;
  let total = 0;
  for (const [, amount, unit = ''] of text.matchAll(/(\d+)(ms|[smhd])/g))
    total += Number(amount) * (UNIT_MS[unit] ?? 0);
  return Number.isSafeInteger(total) ? total : null;
}

/** A moment in the future: a duration from `now`, or a date (`2027-01-31`, `2027-01-31T12:00:00Z`). Null for neither. */
export function parseMoment(text: string, now: number): number | null {
  const duration = parseDuration(text);
  if (duration !== null) return now + duration;
  if (!/^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2}))?$/.test(text)) return null;
  const moment = Date.parse(text);
  return Number.isNaN(moment) ? null : moment;
}
