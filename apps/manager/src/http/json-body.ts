import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { preParsingHookHandler } from 'fastify';

/**
 * Reads a body of JSON as Fastify's parser would, in a fraction of the time. Fastify's looks for `__proto__` and
 * `constructor` in every spelling by two expressions, which costs several times what reading a small body does. A body
 * without these letters and without an escape can't spell them. Undefined for any other, and for what is no JSON: those
 * are Fastify's to judge.
 */
export function harmlessJson(body: string): unknown {
  if (body.includes('\\') || body.includes('__proto__') || body.includes('constructor')) return undefined;
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return undefined;
  }
}

/** Clients that write every field of an object send null for what they do not have. */
export function dropNulls(body: unknown): void {
  if (typeof body !== 'object' || body === null) return;
  for (const [name, value] of Object.entries(body)) if (value === null) Reflect.deleteProperty(body, name);
}

const readBefore = new WeakMap<IncomingMessage, Buffer>();

/** Keeps a body that was read before Fastify got the request, for a route with `replayBody`. */
export function keepBody(request: IncomingMessage, body: Buffer): void {
  readBefore.set(request, body);
}

/** For `preParsing`: a body that was kept is read as if it came now. */
export const replayBody: preParsingHookHandler = ({ raw }, _reply, payload, done) => {
  const kept = readBefore.get(raw);
  done(null, kept === undefined ? payload : Readable.from(kept, { objectMode: false }));
};
