import { type Static, Type } from 'typebox';

// The log service: live logs of every task, below `/log-service/` on both listeners. Paths, query names, bodies, limits
// and error texts are those that existing log writers and viewers speak; what is ours is marked so.

/** One line as writers send it (in a JSON array), as a tail gives it, and as one row of a blob (NDJSON). */
export const LogLine = Type.Object({
  /** `info`, `warn`, `error` or any other word; it is passed on as it came. */
  level: Type.Optional(Type.String({ maxLength: 64 })),
  /** The writer's own count of its lines, from 0. Read only of writers that send LOG_WRITER_HEADER. */
  pos: Type.Optional(Type.Integer()),
  /** The text, with its newline. Cut at MAX_LOG_LINE_BYTES. */
  out: Type.String(),
  /** RFC 3339, with nanoseconds. */
  time: Type.Optional(Type.String({ maxLength: 64 })),
  args: Type.Optional(Type.Union([Type.Null(), Type.Record(Type.String(), Type.String())])),
});
export type LogLine = Static<typeof LogLine>;

/** Body of a write. An empty array is a write of nothing. */
export const LogLines = Type.Array(LogLine);
export type LogLines = Static<typeof LogLines>;

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
export const LogWriterId = Type.String({ pattern: '^[A-Za-z0-9._-]{1,64}$' });

/**
 * `from` of a tail, ours: `start` (all lines that are kept), `end` (only lines written from now on), or the sequence number
 * of the first line that is wanted. Left out: the newest MAX_LOG_STREAM_LINES, as existing clients expect.
 *
 * Every event's `id:` is the line's sequence number, which counts from 1 and grows by one with each line of the stream,
 * whoever wrote it; the header `Last-Event-ID: N` asks for the lines after N and wins over `from`. A key that is opened
 * again while its former stream is remembered counts on from there.
 *
 * With `from` or `Last-Event-ID`, a stream that was closed still gives what is left of it, from its lines or from its blob,
 * then ends; without them it counts as missing, as existing clients expect.
 */
export const TailFrom = Type.String({ pattern: '^(start|end|[1-9][0-9]{0,14})$' });
export type TailFrom = Static<typeof TailFrom>;

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

/** `expires` is the link's lifetime in nanoseconds, an integer. */
export const LogLink = Type.Object({ link: Type.String(), expires: Type.Integer() });
export type LogLink = Static<typeof LogLink>;

export const LogArchive = Type.Object({
  link: Type.String(),
  status: Type.Union([
    Type.Literal('queued'),
    Type.Literal('in-progress'),
    Type.Literal('success'),
    Type.Literal('error'),
  ]),
  /** RFC 3339. */
  expires: Type.String(),
  message: Type.Optional(Type.String()),
});
export type LogArchive = Static<typeof LogArchive>;

export const LogStreamInfo = Type.Object({
  streams: Type.Record(
    Type.String(),
    Type.Object({
      /** Lines that are kept. */
      size: Type.Integer(),
      subscribers: Type.Integer(),
      /** Until the stream is closed by itself, such as `4h59m12s`. */
      ttl: Type.String(),
    }),
  ),
});
export type LogStreamInfo = Static<typeof LogStreamInfo>;

/** Errors of the log service. The gateway's and the agent door's refusals carry the fields of ErrorBody beside it. */
export const LogErrorBody = Type.Object({ error_msg: Type.String() });
export type LogErrorBody = Static<typeof LogErrorBody>;

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
