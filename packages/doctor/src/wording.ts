/** A length of time in its largest whole unit; the sign is the caller's to tell. */
export function duration(milliseconds: number): string {
  const seconds = Math.max(1, Math.round(Math.abs(milliseconds) / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 2 * 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 2 * 86_400) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

/** `2026-11-21T18:45:35Z` */
export function moment(epochMilliseconds: number): string {
  const date = new Date(epochMilliseconds);
  return Number.isNaN(date.getTime()) ? 'an unreadable date' : date.toISOString().replace(/\.\d{3}Z$/, 'Z');
}

/** A name out of a certificate: whoever made it has chosen it, and may have chosen 60 KB. */
export function quoted(name: string | undefined): string {
  if (name === undefined || name === '') return '(no name)';
  return `"${name.length > 200 ? `${name.slice(0, 199)}…` : name}"`;
}
