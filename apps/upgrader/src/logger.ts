import { type DestinationStream, type Logger, pino, stdSerializers } from 'pino';

/** JSON lines to standard output; one readable line each when that is a terminal. */
export function createLogger(
  level: 'debug' | 'info' | 'warn' | 'error',
  output: NodeJS.WritableStream & { isTTY?: boolean } = process.stdout,
): Logger {
  const destination: DestinationStream = {
    write: (line) => void output.write(output.isTTY ? readable(line) : line),
  };
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: stdSerializers.err },
    },
    destination,
  );
}

function readable(line: string): string {
  const { time, level, msg, ...rest } = JSON.parse(line) as Record<string, unknown>;
  const details = Object.entries(rest).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return `${[String(time).slice(11, 19), String(level).toUpperCase().padEnd(5), msg, ...details].join(' ')}\n`;
}
