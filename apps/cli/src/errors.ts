import { EXIT, type ExitCode } from './exit-codes.ts';
import { printable } from './output/printable.ts';

export interface CliErrorOptions {
  /** The API's code, or one of this program's own: USAGE, UNREACHABLE, ... */
  readonly code: string;
  readonly exit: ExitCode;
  /** The one thing to do. */
  readonly remedy: string;
  readonly status?: number;
  readonly correlationId?: string;
  /** What was looked at, in one line: a file, an address, the cause that the system gave. */
  readonly detail?: string;
  readonly cause?: unknown;
}

/** Everything that ends a command without success: what is wrong (message), details, remedy. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly code: string;
  readonly exit: ExitCode;
  readonly remedy: string;
  readonly status: number | undefined;
  readonly correlationId: string | undefined;
  readonly detail: string | undefined;

  constructor(message: string, options: CliErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code;
    this.exit = options.exit;
    this.remedy = options.remedy;
    this.status = options.status;
    this.correlationId = options.correlationId;
    this.detail = options.detail;
  }
}

/** The caller wrote something that cannot be carried out; nothing was sent. */
export function usageError(message: string, remedy: string, detail?: string): CliError {
  return new CliError(message, {
    code: 'USAGE',
    exit: EXIT.usage,
    remedy,
    ...(detail === undefined ? {} : { detail }),
  });
}

/** An answer of the API, or of the gateway that refused the connection, as the error that ends the command. */
export function apiError(answer: {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
  readonly correlationId?: string | undefined;
}): CliError {
  return new CliError(answer.message, {
    code: answer.code,
    exit: exitOfStatus(answer.status),
    remedy: answer.remedy === '' ? 'Look at the message; the control plane names no remedy.' : answer.remedy,
    status: answer.status,
    ...(answer.correlationId === undefined ? {} : { correlationId: answer.correlationId }),
  });
}

export function exitOfStatus(status: number): ExitCode {
  if (status === 401 || status === 403) return EXIT.denied;
  if (status === 404) return EXIT.notFound;
  if (status === 409) return EXIT.conflict;
  if (status === 502 || status === 503 || status === 504) return EXIT.unreachable;
  return EXIT.failure;
}

/** A fault of this program: shown whole, because nobody else has a log of it. */
export function unexpected(error: unknown): CliError {
  return new CliError(
    `Unexpected fault of the command itself: ${error instanceof Error ? error.message : String(error)}`,
    {
      code: 'UNEXPECTED',
      exit: EXIT.failure,
      remedy: 'Report it with the lines above it and the command that was run.',
      ...(error instanceof Error && error.stack !== undefined ? { detail: error.stack } : {}),
      cause: error,
    },
  );
}

/** The three parts for a person, each on lines of its own. */
export function formatError(error: CliError): string {
  const details = [
    error.status === undefined ? error.code : `${error.code} (HTTP ${error.status})`,
    ...(error.correlationId === undefined ? [] : [`correlation id ${error.correlationId}`]),
    ...(error.detail === undefined ? [] : [error.detail]),
  ].join(', ');
  return [`error: ${error.message}`, `details: ${details}`, `remedy: ${error.remedy}`].map(part).join('');
}

/** Lines after the first are indented, so that no value in a message can pass for a part of its own. */
function part(text: string): string {
  return `${printable(text.trimEnd(), { keepLines: true }).replaceAll('\n', '\n  ')}\n`;
}

/** The same for a program: one line of JSON. Fields without a value are null, never missing. */
export function errorAsJson(error: CliError): string {
  return `${JSON.stringify({
    error: {
      code: error.code,
      message: error.message,
      remedy: error.remedy,
      status: error.status ?? null,
      correlationId: error.correlationId ?? null,
      detail: error.detail ?? null,
      exitCode: error.exit,
    },
  })}\n`;
}
