// The log service: live logs of every task, below `/log-service/` on both listeners. Paths, query names, bodies, limits
// and error texts are those that existing log writers and viewers speak; what is ours is marked so.

/** Where the service is, below the manager's base URL; existing clients trim one trailing `/` and append the paths below. */
export const LOG_SERVICE = '/log-service';

/** Paths below LOG_SERVICE. Every one but the health checks takes the query LOG_QUERY.account. */
export const logPaths = {
  /**
   * POST opens (204, replaces), PUT writes (204; 200 with an empty body: no such stream, the lines were dropped), DELETE closes
   * (204; 500 when there is none), GET tails (SSE).
   */
  stream: '/stream',
  /** GET: the account's open streams. */
  streamInfo: '/stream/info',
  /** POST stores (204; an empty body never replaces what is there), GET gives it back as NDJSON, DELETE removes (204, 404). */
  blob: '/blob',
  /** GET: the text `true` or `false`. */
  blobExists: '/blob/exists',
  /** POST: a LogLink; then PUT the blob to it. */
  uploadLink: '/blob/link/upload',
  /** POST: a LogLink; then GET it. */
  downloadLink: '/blob/link/download',
  /** GET or POST with `prefix`: a LogArchive, whose link gives a zip of every blob below the prefix. */
  archive: '/blob/download',
  /** DELETE: every blob whose key starts with the key; the work is done after the answer. */
  internalBlob: '/internal/blob',
  /** GET with an operator's or account admin's key: a token for the whole account, as text. */
  token: '/token',
  health: '/healthz',
  ready: '/ready/healthz',
} as const;

export const LOG_QUERY = {
  /** With a capital ID. */
  account: 'accountID',
  /** Opaque text, `/` and `:` included; existing writers send it without escapes, we escape it. */
  key: 'key',
  prefix: 'prefix',
  /** DELETE stream: `true` copies the stream to the blob of its key before it closes. */
  snapshot: 'snapshot',
  /** The header LOG_TOKEN_HEADER may be given as a query parameter instead. */
  token: 'X-Harness-Token',
  /** GET stream, ours: where to begin. See TailFrom. */
  from: 'from',
  /**
   * POST stream, ours: `true` goes on with the log of that key instead of replacing it. An open stream stays as it is; one
   * that was closed goes on in a new stream, and both become one blob.
   */
  continue: 'continue',
} as const;

/** Bears the log token; `x-api-key` does instead of it for reading. */
export const LOG_TOKEN_HEADER = 'x-harness-token';

/**
 * PUT stream, ours: who writes, a name that the writer made up. Then every line has a `pos`, which grows from line to line,
 * and the service takes none that is not above all that it has of this writer in this log: a write that is repeated because
 * its answer was lost is stored once.
 */
export const LOG_WRITER_HEADER = 'x-sallyport-log-writer';

/**
 * What a tail sends besides lines, which are `id: N` and `data: <LogLine>` without an `event:`:
 * - the comment LOG_PING at once, and after every LOG_PING_EVERY_MS of silence;
 * - `event: error`, `data: eof` as its last event: the stream is closed or missing, or LOG_TAIL_LIMIT_MS are over;
 * - `event: slow` (ours), `data: {"after": N}` and no eof: the reader takes lines too slowly; come back with Last-Event-ID;
 * - `event: gap` (ours), `data: {"lines": n}`: the n lines that would come next are no longer kept.
 */
export const logTailEvents = { end: 'error', slow: 'slow', gap: 'gap' } as const;
export const LOG_EOF = 'eof';
export const LOG_PING = ': ping';

/** Bytes of `out`, UTF-8: writers cut there, the service cuts what they did not. */
export const MAX_LOG_LINE_BYTES = 71_680;
/** Of a stream while it is live: what a tail without `from` begins with. */
export const MAX_LOG_STREAM_LINES = 5_000;
/** Of those lines as JSON. As much as writers keep as history. */
export const MAX_LOG_STREAM_BYTES = 5_242_880;
/** Of all lines of a stream, as JSON: what its blob has. With more, the oldest are dropped. */
export const MAX_LOG_KEPT_BYTES = 67_108_864;
/** Of the body of one write; larger ones are answered 413. */
export const MAX_LOG_WRITE_BYTES = 8_388_608;
/** Of an uploaded blob, before compression. */
export const MAX_LOG_BLOB_BYTES = 67_108_864;
/** Of a key, UTF-8. */
export const MAX_LOG_KEY_BYTES = 2_048;
/** Streams that one close with `prefix=true` ends. */
export const MAX_LOG_PREFIX_KEYS = 200;
/** A stream without a line for this long is closed, and becomes a blob. */
export const LOG_STREAM_TTL_MS = 5 * 3_600_000;
export const LOG_LINGER_MS = 10 * 60_000;
export const LOG_PING_EVERY_MS = 30_000;
export const LOG_TAIL_LIMIT_MS = 3_600_000;
export const LOG_TOKEN_LIFETIME_MS = 48 * 3_600_000;
export const LOG_LINK_LIFETIME_MS = 3_600_000;

/** Texts of refusals, all answered 400 but where noted. */
export const logErrors = {
  noAccount: 'no account ID in query params',
  noToken: 'no token in header',
  noTokenOrKey: 'no token or x-api-key in header',
  notPermitted: (accountId: string) => `operation not permitted for accountID: ${accountId}`,
  tokenNotForTokens: 'token in request not authorized for receiving tokens',
  keyNotForTokens: 'apikey in request not authorized for receiving tokens',
  noKey: 'no key exists in the URL',
  /** 500: closing a stream that is not open. */
  streamNotFound: 'stream: not found',
} as const;

/**
 * The key that a task's logs have: `k:v/k:v` of its `logging.abstractions`, in the order in which they stand there. Writers
 * may append `/...` to it; the task's token is good for the key and everything below `key/`.
 */
export function logKey(abstractions: Readonly<Record<string, string>>): string {
  return Object.entries(abstractions)
    .map(([name, value]) => `${name}:${value}`)
    .join('/');
}

/** What the manager puts into a task's `logging.abstractions`: `logKey(taskLogAbstractions(id))` is where its lines are. */
export function taskLogAbstractions(taskId: string): { taskId: string } {
  return { taskId };
}
