import { isIP } from 'node:net';

const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;

/**
 * The canonical form of a name from SNI or a Host header: lower case, no trailing dot; null for anything that is not
 * an ASCII host name (empty, an IP address, NUL or other bytes, longer than 253). Two spellings of one name compare
 * equal after this and only after this.
 */
export function canonicalServerName(name: string | false | null | undefined): string | null {
  if (typeof name !== 'string') return null;
  const lower = name.toLowerCase();
  const bare = lower.endsWith('.') ? lower.slice(0, -1) : lower;
  if (bare === '' || bare.length > 253 || isIP(bare) !== 0) return null;
  return bare.split('.').every((label) => LABEL.test(label)) ? bare : null;
}

/** The canonical name in a Host header, its port dropped; null when it holds no host name. */
export function canonicalHost(header: string | undefined): string | null {
  return canonicalServerName(header?.replace(/:\d{1,5}$/, ''));
}
