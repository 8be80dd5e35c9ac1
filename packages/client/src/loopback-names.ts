import { lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';

/** True for `localhost` and every name below it (RFC 6761 section 6.3). */
export function isLoopbackName(hostname: string): boolean {
  return /^(.+\.)?localhost\.?$/i.test(hostname);
}

/**
 * Name resolution for outgoing connections. RFC 6761: names below `localhost` are loopback, and many system resolvers
 * do not know it; asking a DNS server for them could even be answered by somebody else. Other names go to the system.
 */
export const lookupWithLoopback: LookupFunction = (hostname, options, callback) => {
  if (!isLoopbackName(hostname)) {
    systemLookup(hostname, options, callback);
    return;
  }
  const all = [
    { address: '127.0.0.1', family: 4 },
    { address: '::1', family: 6 },
  ];
  const family = options.family === 'IPv4' ? 4 : options.family === 'IPv6' ? 6 : (options.family ?? 0);
  const wanted = family === 0 ? all : all.filter((entry) => entry.family === family);
  process.nextTick(() => {
    const first = wanted[0];
    if (options.all) callback(null, wanted);
    else callback(null, first?.address ?? '127.0.0.1', first?.family ?? 4);
  });
};
