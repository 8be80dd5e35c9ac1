import { type DestinationStream, type Logger, pino } from 'pino';

const SECRET_HEADERS = ['authorization', 'x-api-key', 'x-harness-token', 'cookie'];

/**
 * The process's logger: JSON lines. Nothing of ours logs headers or bodies; the redaction is for the day somebody logs
 * a whole request while looking for something else.
 */
export function createLogger(level: string, destination?: DestinationStream): Logger {
  const paths = SECRET_HEADERS.flatMap((name) => [
    `headers["${name}"]`,
    `*.headers["${name}"]`,
    `*.*.headers["${name}"]`,
  ]);
  const options = { level, redact: { paths, censor: '[redacted]' }, timestamp: pino.stdTimeFunctions.isoTime };
  return destination === undefined ? pino(options) : pino(options, destination);
}
