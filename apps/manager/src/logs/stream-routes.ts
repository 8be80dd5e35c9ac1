import { LOG_SERVICE, LOG_WRITER_HEADER, logPaths, MAX_LOG_WRITE_BYTES, SallyportError } from '@sallyport/protocol';
import { LogStreamInfo, LogWriterId, TailFrom } from '@sallyport/protocol/schemas';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import type { App } from '../http/app.ts';
import type { LogAuthentication } from './log-authentication.ts';
import type { LogService } from './log-service.ts';
import { keyOf, logCallerOf, logRequestOf, prefixOf, readBody } from './request-values.ts';
import type { TailStart, Tails } from './tails.ts';

const tags = ['log service'];
// Optional here, though they are not: the guard answers for them with the texts that clients know.
const Account = { accountID: Type.Optional(Type.String({ description: 'required' })) };
const Keyed = { ...Account, key: Type.Optional(Type.String({ description: 'required; opaque text' })) };
const Flag = Type.Optional(Type.String({ description: '`true`, or anything else for no' }));
const nothing = { 204: Type.Null() };

/** Streams: open, write, close, tail, info. */
export function streamRoutes(app: App, logs: LogService, tails: Tails, authentication: LogAuthentication): void {
  const path = `${LOG_SERVICE}${logPaths.stream}`;
  const write = { access: 'log-writer' } as const;
  app.post(
    path,
    {
      config: write,
      schema: {
        summary: 'Open a log stream; an open one of that key is replaced, unless continue=true',
        tags,
        querystring: Type.Object({ ...Keyed, continue: Flag }),
        response: nothing,
      },
    },
    async (request, reply) => {
      await logs.open(logCallerOf(request), keyOf(request), request.query.continue === 'true');
      return reply.code(204).send(null);
    },
  );
  app.put(
    path,
    {
      config: write,
      schema: {
        summary: 'Write lines, a JSON array; 200 when the stream is not open and they were dropped',
        tags,
        querystring: Type.Object(Keyed),
        response: { ...nothing, 200: Type.String({ description: 'empty' }) },
      },
    },
    async (request, reply) => {
      const [key, writer] = [keyOf(request), writerOf(request)];
      const body = await readBody(request, MAX_LOG_WRITE_BYTES);
      const written = await logs.write(logCallerOf(request), key, body, writer);
      return written ? reply.code(204).send(null) : reply.code(200).send('');
    },
  );
  app.delete(
    path,
    {
      config: write,
      schema: {
        summary: 'Close a stream (prefix=true: all that start with the key); its lines become the blob of its key',
        tags,
        querystring: Type.Object({ ...Keyed, snapshot: Flag, prefix: Flag }),
        response: nothing,
      },
    },
    async (request, reply) => {
      const { snapshot, prefix } = request.query;
      const caller = logCallerOf(request);
      if (prefix === 'true') await logs.closeBelow(caller, prefixOf(request), snapshot === 'true');
      else await logs.close(caller, keyOf(request), snapshot === 'true');
      return reply.code(204).send(null);
    },
  );
  app.get(
    path,
    {
      config: { access: 'log-reader' },
      schema: {
        summary: 'Tail a stream as server-sent events',
        tags,
        querystring: Type.Object({
          ...Keyed,
          from: Type.Optional(Type.String({ description: 'start, end, or the sequence number of the first line' })),
        }),
        response: { 200: Type.String({ description: 'text/event-stream' }) },
      },
    },
    async (request, reply) => {
      const key = keyOf(request);
      const start = startOf(request);
      const asked = logRequestOf(request);
      // The answer is written piece by piece from here on; what goes wrong before its head is answered as usual.
      await tails.open(
        reply.raw,
        logCallerOf(request),
        key,
        start,
        () => authentication.recheck(asked),
        () => void reply.hijack(),
      );
    },
  );
  app.get(
    `${LOG_SERVICE}${logPaths.streamInfo}`,
    {
      config: { access: 'log-reader' },
      schema: {
        summary: "The account's open streams",
        tags,
        querystring: Type.Object(Keyed),
        response: { 200: LogStreamInfo },
      },
    },
    async (request) => {
      prefixOf(request);
      return logs.info(logCallerOf(request));
    },
  );
}

function writerOf(request: FastifyRequest): string | null {
  const writer = request.headers[LOG_WRITER_HEADER];
  if (writer === undefined) return null;
  if (Value.Check(LogWriterId, writer)) return writer;
  throw new SallyportError(
    'INVALID_REQUEST',
    `${LOG_WRITER_HEADER} is '${String(writer).slice(0, 80)}': send up to 64 letters, digits, dots, hyphens and underscores`,
  );
}

function startOf(request: FastifyRequest): TailStart {
  const { from } = request.query as { from?: string };
  const last = request.headers['last-event-id'];
  if (typeof last === 'string' && /^\d{1,15}$/.test(last)) return { from: Number(last) + 1, lingering: true };
  if (from === undefined) return { from: 'newest', lingering: false };
  if (from === 'start' || from === 'end') return { from, lingering: true };
  if (Value.Check(TailFrom, from)) return { from: Number(from), lingering: true };
  throw new SallyportError(
    'INVALID_REQUEST',
    `from is '${String(from).slice(0, 40)}': send start, end or a sequence number`,
  );
}
