import { BlockList, isIP, isIPv6 } from 'node:net';

/** One entry of NO_PROXY; the host is tried against it with the port of the connection. */
export interface NoProxyRule {
  readonly port: number | null;
  readonly matches: (hostname: string) => boolean;
}

/**
 * Reads NO_PROXY, separated by commas or spaces: `*` (everything), `example.com` (it and every name below it),
 * `.example.com` (names below it), `host:port`, an IP address, a CIDR block. A host below `localhost` goes through the
 * proxy like any other unless it is listed: which way a connection takes is decided by the settings alone.
 */
export function parseNoProxy(text: string): { rules: NoProxyRule[]; problems: string[] } {
  const rules: NoProxyRule[] = [];
  const problems: string[] = [];
  for (const entry of text.split(/[\s,]+/).filter((part) => part !== '')) {
    const rule = parseEntry(entry);
    if (rule === null) problems.push(`"${entry}" is not a host, an address, a CIDR block or "*".`);
    else rules.push(rule);
  }
  return { rules, problems };
}

export function bypassesProxy(rules: readonly NoProxyRule[], hostname: string, port: number): boolean {
  const host = hostname.toLowerCase().replace(/\.$/, '');
  return rules.some((rule) => (rule.port === null || rule.port === port) && rule.matches(host));
}

function parseEntry(entry: string): NoProxyRule | null {
  if (entry === '*') return { port: null, matches: () => true };
  if (entry.includes('/')) return parseBlock(entry);
  const withPort = /^(\[[^\]]+\]|[^:]+):(\d{1,5})$/.exec(entry);
  const name = (withPort?.[1] ?? entry).replace(/^\[|\]$/g, '').toLowerCase();
  const port = withPort?.[2] === undefined ? null : Number(withPort[2]);
  if (isIP(name) !== 0) return { port, matches: (host) => host === name };
  const domain = name.replace(/^\*?\./, '').replace(/\.$/, '');
  if (!/^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(domain)) return null;
  const below = name.startsWith('.') || name.startsWith('*.');
  return { port, matches: (host) => (!below && host === domain) || host.endsWith(`.${domain}`) };
}

function parseBlock(entry: string): NoProxyRule | null {
  const [address = '', bits = ''] = entry.split('/');
  const version = isIP(address);
  if (version === 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > (version === 4 ? 32 : 128)) return null;
  const block = new BlockList();
  block.addSubnet(address, Number(bits), version === 4 ? 'ipv4' : 'ipv6');
  return { port: null, matches: (host) => isIP(host) !== 0 && block.check(host, isIPv6(host) ? 'ipv6' : 'ipv4') };
}
