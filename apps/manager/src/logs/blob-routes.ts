import { Readable } from 'node:stream';
import { LOG_LINK_LIFETIME_MS, LOG_QUERY, LOG_SERVICE, logPaths, SallyportError } from '@sallyport/protocol';
import { LogArchive, LogLink } from '@sallyport/protocol/schemas';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { describePrincipal } from '../access/principal.ts';
import type { AuditStore } from '../audit/audit-store.ts';
import type { Clock } from '../clock.ts';
import { principalOf } from '../http/access.ts';
import type { App } from '../http/app.ts';
import type { LogCaller } from './log-authentication.ts';
import { type LogKey, logKeyOf } from './log-key.ts';
import type { LinkGrant, LogSeals } from './log-seals.ts';
import type { LogService } from './log-service.ts';
import {
  bodyOf,
  keyOf,
  LINKED_ARCHIVE,
  LINKED_BLOB,
  logCallerOf,
  prefixOf,
  refuseBrokenEscapes,
  serviceUrl,
} from './request-values.ts';
import { entryName, zip } from './zip.ts';

const tags = ['log service'];
const Account = { accountID: Type.Optional(Type.String({ description: 'required' })) };
const Keyed = { ...Account, key: Type.Optional(Type.String({ description: 'required; opaque text' })) };
const Grant = { grant: Type.Optional(Type.String({ description: 'as the link has it' })) };
const nothing = { 204: Type.Null() };
const bytes = { 200: Type.Unsafe<unknown>(Type.String()) };

/** Blobs of one archive, and their bytes before compression: beyond, it would need another format. */
const MAX_ARCHIVE_BLOBS = 10_000;
const MAX_ARCHIVE_BYTES = 2_147_483_648;

/** Blobs: store, read, delete, links, archives. */
export function blobRoutes(app: App, logs: LogService, seals: LogSeals, audit: AuditStore, clock: Clock): void {
  const path = (below: string) => `${LOG_SERVICE}${below}`;
  const keyed = Type.Object(Keyed);
  app.post(
    path(logPaths.blob),
    {
      config: { access: 'log-writer' },
      schema: {
        summary: 'Store the blob of a key; an empty body replaces none',
        tags,
        querystring: keyed,
        response: nothing,
      },
    },
    async (request, reply) => {
      await logs.putBlob(logCallerOf(request), keyOf(request), bodyOf(request));
      return reply.code(204).send(null);
    },
  );
  app.get(
    path(logPaths.blob),
    {
      config: { access: 'log-reader' },
      schema: { summary: 'The blob of a key', tags, querystring: keyed, response: bytes },
    },
    async (request, reply) => sendBlob(reply, await logs.getBlob(logCallerOf(request), keyOf(request))),
  );
  app.delete(
    path(logPaths.blob),
    {
      config: { access: 'log-writer' },
      schema: { summary: 'Delete the blob of a key', tags, querystring: keyed, response: nothing },
    },
    async (request, reply) => {
      await logs.deleteBlob(logCallerOf(request), keyOf(request));
      return reply.code(204).send(null);
    },
  );
  app.get(
    path(logPaths.blobExists),
    {
      config: { access: 'log-reader' },
      schema: { summary: 'Whether a key has a blob: true or false', tags, querystring: keyed, response: bytes },
    },
    async (request, reply) =>
      reply.type('text/plain').send(String(await logs.blobExists(logCallerOf(request), keyOf(request)))),
  );
  app.delete(
    path(logPaths.internalBlob),
    {
      config: { access: 'log-admin' },
      schema: {
        summary: 'Delete every blob whose key starts with the key',
        tags,
        querystring: keyed,
        response: nothing,
      },
    },
    async (request, reply) => {
      const prefix = prefixOf(request);
      const { accountId } = logCallerOf(request);
      const actor = describePrincipal(principalOf(request));
      // PostgreSQL keeps no U+0000 in a text, and a key may have one.
      const subject = prefix.text.replaceAll('\u0000', '\uFFFD');
      await audit.append({ accountId, at: clock.now(), actor, action: 'logs.deleted', subject });
      await logs.deleteBlobsBelow(logCallerOf(request), prefix);
      return reply.code(204).send(null);
    },
  );

  for (const [below, method, access, summary] of [
    [logPaths.uploadLink, 'PUT', 'log-writer', 'A link that the blob of a key can be PUT to'],
    [logPaths.downloadLink, 'GET', 'log-reader', 'A link that the blob of a key can be had from'],
  ] as const) {
    app.post(
      path(below),
      { config: { access }, schema: { summary, tags, querystring: keyed, response: { 200: LogLink } } },
      async (request) => {
        const { url } = linkTo(request, method, 'blob', keyOf(request));
        return { link: url, expires: LOG_LINK_LIFETIME_MS * 1_000_000 };
      },
    );
  }
  app.put(
    path(LINKED_BLOB),
    {
      config: { access: 'log-link' },
      schema: {
        summary: 'Store a blob by an upload link',
        tags,
        querystring: Type.Object({ ...Account, ...Grant }),
        response: nothing,
      },
    },
    async (request, reply) => {
      const caller = logCallerOf(request);
      await logs.putBlob(caller, logKeyOf(caller.under), bodyOf(request));
      return reply.code(204).send(null);
    },
  );
  app.get(
    path(LINKED_BLOB),
    {
      config: { access: 'log-link' },
      schema: {
        summary: 'Read a blob by a download link',
        tags,
        querystring: Type.Object({ ...Account, ...Grant }),
        response: bytes,
      },
    },
    async (request, reply) => {
      const caller = logCallerOf(request);
      return sendBlob(reply, await logs.getBlob(caller, logKeyOf(caller.under)));
    },
  );

  app.route({
    method: ['GET', 'POST'],
    url: path(logPaths.archive),
    config: { access: 'log-reader' },
    schema: {
      summary: 'A link to a zip of every blob below a prefix',
      tags,
      querystring: Type.Object({ ...Account, prefix: Type.Optional(Type.String({ description: 'required' })) }),
      response: { 200: LogArchive },
    },
    handler: async (request) => archiveOf(request),
  });
  app.get(
    path(LINKED_ARCHIVE),
    {
      config: { access: 'log-link' },
      schema: {
        summary: 'The zip of an archive link',
        tags,
        querystring: Type.Object({ ...Account, ...Grant }),
        response: bytes,
      },
    },
    async (request, reply) => {
      const caller = logCallerOf(request);
      const blobs = await logs.blobsBelow({ ...caller, under: '' }, logKeyOf(caller.under), MAX_ARCHIVE_BLOBS);
      const entries = blobs.map((blob) => ({
        name: `${entryName(blob.key.text)}.ndjson`,
        modifiedAt: blob.createdAt,
        open: () => logs.compressed(blob),
      }));
      reply.header('content-disposition', 'attachment; filename="logs.zip"');
      return reply.type('application/zip').send(Readable.from(zip(entries)));
    },
  );

  async function archiveOf(request: FastifyRequest): Promise<LogArchive> {
    const caller = logCallerOf(request);
    const { prefix = '' } = request.query as { prefix?: string };
    refuseBrokenEscapes(request, LOG_QUERY.prefix);
    if (!/runSequence:\d/.test(prefix)) {
      throw new SallyportError('INVALID_REQUEST', 'the prefix names no run: it has to contain runSequence:<number>');
    }
    const key = logKeyOf(prefix);
    // Only what lies below the token's own key: the link leads to everything that starts with the prefix.
    if (caller.under !== '' && !prefix.startsWith(`${caller.under}/`)) {
      throw new SallyportError('ENTITY_NOT_FOUND', `no blobs below '${prefix.slice(0, 200)}'`);
    }
    const blobs = await logs.blobsBelow({ ...caller, under: '' }, key, MAX_ARCHIVE_BLOBS);
    if (blobs.length === 0) throw new SallyportError('ENTITY_NOT_FOUND', `no blobs below '${prefix.slice(0, 200)}'`);
    const { url, expiresAt } = linkTo(request, 'GET', 'archive', key);
    const expires = new Date(expiresAt).toISOString();
    const size = blobs.reduce((sum, blob) => sum + blob.size, 0);
    if (blobs.length >= MAX_ARCHIVE_BLOBS || size > MAX_ARCHIVE_BYTES) {
      const message = `the prefix has ${blobs.length} blobs of ${size} bytes: name a longer one, or read them one by one`;
      return { link: '', status: 'error', expires, message };
    }
    return { link: url, status: 'success', expires };
  }

  function linkTo(
    request: FastifyRequest,
    method: LinkGrant['method'],
    what: LinkGrant['what'],
    key: LogKey,
  ): { url: string; expiresAt: number } {
    const { accountId, accountCreatedAt, grant }: LogCaller = logCallerOf(request);
    const expiresAt = clock.now().getTime() + LOG_LINK_LIFETIME_MS;
    const text = seals.link({
      ...{ method, what, accountId, accountCreatedAt, key: key.text, expiresAt, agent: grant !== null },
      ...(grant?.delegate !== undefined && { delegate: grant.delegate }),
    });
    const below = what === 'blob' ? LINKED_BLOB : LINKED_ARCHIVE;
    return { url: `${serviceUrl(request)}${below}?accountID=${accountId}&grant=${text}`, expiresAt };
  }
}

function sendBlob(reply: FastifyReply, content: Readable | AsyncIterable<Buffer>): FastifyReply {
  // Whoever may write a log decides what is in it: a browser must not take it for a page of ours.
  reply.header('x-content-type-options', 'nosniff').header('cache-control', 'no-store');
  return reply.type('text/plain; charset=utf-8').send(content instanceof Readable ? content : Readable.from(content));
}
