/** Epoch milliseconds as UTC, to the second: 2026-03-01 09:30:00Z. A dash for null and undefined. */
export function formatTime(epochMilliseconds: number | null | undefined): string {
  if (epochMilliseconds === null || epochMilliseconds === undefined) return '-';
  const date = new Date(epochMilliseconds);
  // A value outside the range of Date, or none: shown as it is rather than ending the whole list.
  if (Number.isNaN(date.getTime())) return String(epochMilliseconds);
  return date
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d{3}Z$/, 'Z');
}

export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${milliseconds} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  const minutes = Math.floor(milliseconds / 60_000);
  return `${minutes} min ${Math.round((milliseconds % 60_000) / 1000)} s`;
}

export const orDash = (text: string | null | undefined): string =>
  text === null || text === undefined || text === '' ? '-' : text;
