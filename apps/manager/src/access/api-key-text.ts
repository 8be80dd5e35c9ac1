import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** What a key says about itself. Nothing of it is verified. */
export interface ParsedApiKey {
  readonly accountId: string | null;
  readonly id: string;
  readonly secret: string;
}

export function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

/** `sat.<id>.<secret>` for operators, `pat.<account>.<id>.<secret>` for an account. */
export function formatApiKey({ accountId, id, secret }: ParsedApiKey): string {
  return accountId === null ? `sat.${id}.${secret}` : `pat.${accountId}.${id}.${secret}`;
}

/** Null when the text has neither form. */
export function parseApiKey(text: string): ParsedApiKey | null {
  const parts = text.split('.');
  if (parts.some((part) => part === '')) return null;
  if (parts.length === 3 && parts[0] === 'sat') {
    const [, id = '', secret = ''] = parts;
    return { accountId: null, id, secret };
  }
  if (parts.length === 4 && parts[0] === 'pat') {
    const [, accountId = '', id = '', secret = ''] = parts;
    return { accountId, id, secret };
  }
  return null;
}

/**
 * A fast hash is right here: the secret is 256 random bits, so whoever reads the hashes has nothing to guess from. Slow
 * hashes protect what people choose; on every request they would only be a lever to exhaust our CPU.
 */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** In constant time: how long it takes must not tell how much of a guess was right. */
export function secretMatches(secret: string, hash: string): boolean {
  return timingSafeEqual(Buffer.from(hashSecret(secret), 'hex'), Buffer.from(hash, 'hex'));
}
