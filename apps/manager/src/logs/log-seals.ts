import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { Type } from 'typebox';
import { Value } from 'typebox/value';

/** A log token's content. */
export interface LogGrant {
  /** The account and when it was made: whoever is given its identifier later has no use for the token. */
  readonly accountId: string;
  readonly accountCreatedAt: number;
  /** The key that it is good for, with everything below it; empty: every key of the account. */
  readonly under: string;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
  /** The delegate that it was given to, and the delegate token that this one came with: it ends with that. */
  readonly delegate?: { readonly id: string; readonly tokenId: string };
}

/** What a signed link allows. */
export interface LinkGrant {
  readonly method: 'GET' | 'PUT';
  readonly what: 'blob' | 'archive';
  readonly accountId: string;
  readonly accountCreatedAt: number;
  /** Of the blob; of an archive, the prefix. */
  readonly key: string;
  readonly expiresAt: number;
  /** True: made for a log token, so the account has to accept the connection that uses it. False: for an API key. */
  readonly agent: boolean;
  /** Who may use it, when it was made for a delegate. */
  readonly delegate?: { readonly id: string; readonly tokenId: string };
}

const VERSION = 'slg1';
const Delegate = Type.Optional(Type.Object({ id: Type.String(), tokenId: Type.String() }));
const Grant = Type.Object({
  accountId: Type.String(),
  accountCreatedAt: Type.Integer(),
  under: Type.String(),
  expiresAt: Type.Integer(),
  delegate: Delegate,
});
const Link = Type.Object({
  method: Type.Union([Type.Literal('GET'), Type.Literal('PUT')]),
  what: Type.Union([Type.Literal('blob'), Type.Literal('archive')]),
  accountId: Type.String(),
  accountCreatedAt: Type.Integer(),
  key: Type.String(),
  expiresAt: Type.Integer(),
  agent: Type.Boolean(),
  delegate: Delegate,
});

/**
 * Log tokens and links: their content in the open, with an HMAC-SHA-256 under keys derived from the master key, one for
 * each purpose. Were it one key for both, a link to a single blob could be shown as a token for the whole account.
 */
export class LogSeals {
  readonly #tokenKey: Buffer;
  readonly #linkKey: Buffer;

  constructor(masterKey: Buffer) {
    this.#tokenKey = derive(masterKey, 'sallyport log token');
    this.#linkKey = derive(masterKey, 'sallyport log link');
  }

  token(grant: LogGrant): string {
    return seal(this.#tokenKey, grant);
  }

  link(grant: LinkGrant): string {
    return seal(this.#linkKey, grant);
  }

  /** Null for a text that we did not make, or whose time is over. */
  readToken(text: string, now: number): LogGrant | null {
    const content = open(this.#tokenKey, text);
    return Value.Check(Grant, content) && now < content.expiresAt ? content : null;
  }

  /** Null for a text that we did not make, or whose time is over. */
  readLink(text: string, now: number): LinkGrant | null {
    const content = open(this.#linkKey, text);
    return Value.Check(Link, content) && now < content.expiresAt ? content : null;
  }
}

/** Is the key the granted one, or below it? `a:1` does not cover `a:10`. */
export function covers({ under }: Pick<LogGrant, 'under'>, key: string): boolean {
  return under === '' || key === under || key.startsWith(`${under}/`);
}

function derive(masterKey: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', masterKey, Buffer.alloc(0), purpose, 32));
}

function seal(key: Buffer, content: object): string {
  const payload = Buffer.from(JSON.stringify(content), 'utf8').toString('base64url');
  return `${VERSION}.${payload}.${mac(key, payload).toString('base64url')}`;
}

function open(key: Buffer, text: string): unknown {
  const [version, payload, signature, ...rest] = text.split('.');
  if (version !== VERSION || payload === undefined || signature === undefined || rest.length > 0) return null;
  // As text: other texts decode to the same bytes, and a link that somebody has touched is none of ours.
  const given = Buffer.from(signature);
  const expected = Buffer.from(mac(key, payload).toString('base64url'));
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null;
  return JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
}

function mac(key: Buffer, payload: string): Buffer {
  return createHmac('sha256', key).update(`${VERSION}.${payload}`).digest();
}
