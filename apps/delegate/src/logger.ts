import { LOG_LINE_OPTIONS, logDestination } from '@sallyport/client';
import { type Logger, pino, stdSerializers } from 'pino';
import type { DelegateConfig } from './config/delegate-config.ts';

/** Nothing logs these on purpose; this is for the day when somebody logs a whole request or configuration. */
const SECRET_KEYS = [
  'authorization',
  'token',
  'secret',
  'secrets',
  'password',
  'key',
  'keyPem',
  'delegateRandomToken',
  'DELEGATE_TOKEN',
];
const REDACTED = SECRET_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]);

/** JSON lines to standard output; one readable line each when that is a terminal. */
export function createLogger(
  level: DelegateConfig['logLevel'],
  output: NodeJS.WritableStream & { isTTY?: boolean } = process.stdout,
): Logger {
  const redact = { paths: REDACTED, censor: '[redacted]' };
  return pino({ ...LOG_LINE_OPTIONS, level, redact, serializers: { err: stdSerializers.err } }, logDestination(output));
}
