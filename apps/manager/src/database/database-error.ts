/** The database cannot be used. The message names the file or the host, never a password, and says what to do. */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
}

/** True when a write broke a UNIQUE or PRIMARY KEY constraint, on either database. */
export function isUniqueViolation(error: unknown): boolean {
  const { code, errcode } = fieldsOf(error);
  return code === '23505' || errcode === 2067 || errcode === 1555;
}

/**
 * True when the database could not be reached or did not answer in time: the caller may try again, and the request was
 * not at fault. False for a statement that the database refused.
 */
export function isDatabaseUnavailable(error: unknown): boolean {
  const { code, errcode, message } = fieldsOf(error);
  // SQLITE_BUSY, SQLITE_IOERR and SQLITE_FULL; their extended codes carry them in the low byte.
  if (typeof errcode === 'number') return [5, 10, 13].includes(errcode & 0xff);
  if (typeof code === 'string') {
    // Classes of SQLSTATE: 08 connection, 53 resources, 57 operator intervention (shutdown, statement timeout).
    return /^(08|53|57)[0-9A-Z]{3}$/.test(code) || NETWORK_ERRORS.has(code);
  }
  // What pg's pool throws has no code.
  return /^(timeout exceeded when trying to connect|Connection terminated)/.test(message);
}

/** True when a text holds U+0000, which PostgreSQL cannot store: the request is at fault, on either database. */
export function isUnstorableText(error: unknown): boolean {
  return fieldsOf(error).code === '22021';
}

const NETWORK_ERRORS: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ETIMEDOUT',
]);

function fieldsOf(error: unknown): { code?: unknown; errcode?: unknown; message: string } {
  if (!(error instanceof Error)) return { message: '' };
  return {
    message: error.message,
    ...('code' in error && { code: error.code }),
    ...('errcode' in error && { errcode: error.errcode }),
  };
}
