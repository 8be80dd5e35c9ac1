import { type Static, Type } from 'typebox';

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

/** The value of LOG_WRITER_HEADER. */
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
