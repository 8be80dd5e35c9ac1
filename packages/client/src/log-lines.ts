/** What pino is given besides the level, so that every program of ours writes the same lines. */
export const LOG_LINE_OPTIONS = {
  base: null,
  timestamp: () => `,"time":"${new Date().toISOString()}"`,
  formatters: { level: (label: string) => ({ level: label }) },
} as const;

/** Where pino writes: JSON lines as they are; one readable line each when the output is a terminal. */
export function logDestination(output: NodeJS.WritableStream & { isTTY?: boolean }): { write(line: string): void } {
  return { write: (line) => void output.write(output.isTTY ? readable(line) : line) };
}

function readable(line: string): string {
  const { time, level, msg, ...rest } = JSON.parse(line) as Record<string, unknown>;
  const details = Object.entries(rest).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const text = [String(time).slice(11, 19), String(level).toUpperCase().padEnd(5), msg, ...details].join(' ');
  return `${text.replace(CONTROL, escaped)}\n`;
}

/** What a server answered is in some messages: as it came, it could move the cursor of whoever reads it and write over other lines. */
const CONTROL = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const escaped = (character: string): string => `\\u{${character.codePointAt(0)?.toString(16)}}`;
