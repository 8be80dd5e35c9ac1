import { isIPv4 } from 'node:net';

/** Labels of 1 to 63 characters and dots between them; an IPv6 address is none, for its colons. */
const NAME = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;
/** Looked at first: the whole question takes longer than the rest of this, and is asked several times a connection. */
const ENDS_IN_DIGIT = /\d$/;

/**
 * The canonical form of a name from SNI or a Host header: lower case, no trailing dot; null for anything that is not
 * an ASCII host name (empty, an IP address, NUL or other bytes, longer than 253). Two spellings of one name compare
 * equal after this and only after this.
 */
export function canonicalServerName(name: string | false | null | undefined): string | null {
  if (typeof name !== 'string') return null;
  const lower = name.toLowerCase();
  const bare = lower.endsWith('.') ? lower.slice(0, -1) : lower;
  if (bare.length > 253 || !NAME.test(bare) || (ENDS_IN_DIGIT.test(bare) && isIPv4(bare))) return null;
  return bare;
}

/** The canonical name in a Host header, its port dropped; null when it holds no host name. */
export function canonicalHost(header: string | undefined): string | null {
  return canonicalServerName(header?.replace(/:\d{1,5}$/, ''));
}
