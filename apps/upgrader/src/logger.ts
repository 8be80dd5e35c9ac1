import { LOG_LINE_OPTIONS, logDestination } from '@sallyport/client';
import { type Logger, pino, stdSerializers } from 'pino';

/** JSON lines to standard output; one readable line each when that is a terminal. */
export function createLogger(
  level: 'debug' | 'info' | 'warn' | 'error',
  output: NodeJS.WritableStream & { isTTY?: boolean } = process.stdout,
): Logger {
  return pino({ ...LOG_LINE_OPTIONS, level, serializers: { err: stdSerializers.err } }, logDestination(output));
}
