import { proxyFor } from '@sallyport/client';
import type { CertificateFacts } from '@sallyport/trust';
import type { Seen, ServerView } from './seen.ts';
import { type Setup, targetOf } from './setup.ts';
import { moment, quoted } from './wording.ts';

/** What the certificates of TLS-inspecting products call themselves. A name alone proves nothing; it says whom to ask. */
const PRODUCTS =
  /zscaler|netskope|palo ?alto|forward trust|fortinet|fortigate|blue ?coat|symantec (web|proxy)|cisco umbrella|mcafee (web|gateway)|skyhigh|trellix|forcepoint|websense|check ?point|sophos|barracuda|watchguard|sonicwall|kaspersky|bitdefender|avast (web|antivirus)|cato networks|\biboss\b|\bsquid\b|mitmproxy|charles proxy|fiddler|portswigger|menlo security|cloudflare gateway|(ssl|tls)[ -]?(inspect|intercept|decrypt)/i;

/** How sure it is that something between here and the manager ends TLS and begins it anew. */
export type Inspection =
  | { readonly kind: 'none' }
  | { readonly kind: 'proven' | 'likely'; readonly issuer: string; readonly why: string };

/** Looks for the traces that a TLS-inspecting proxy leaves. Pure. */
export function findInspection(seen: Seen): Inspection {
  const { server, stranger, strangerName, words, pair } = seen;
  const leaf = server?.chain[0];
  if (server === null || leaf === undefined) return { kind: 'none' };
  const issuer = leaf.issuer;
  if (stranger !== null && covers(stranger, strangerName)) {
    return {
      kind: 'proven',
      issuer,
      why: `it made a certificate for "${strangerName}" on the spot, which no server has`,
    };
  }
  // The endpoint asks every client for its certificate: if ours was not asked for and the manager got none, it was
  // somebody else's handshake.
  if (pair?.identity != null && !server.askedForCertificate && words?.code === 'NO_CLIENT_CERTIFICATE') {
    return { kind: 'proven', issuer, why: 'it did not ask for the client certificate, and the manager got none' };
  }
  const named = [leaf, ...server.chain].some(({ issuer: name }) => PRODUCTS.test(name));
  return named ? { kind: 'likely', issuer, why: 'its issuer bears the name of such a product' } : { kind: 'none' };
}

function covers({ chain }: ServerView, name: string): boolean {
  const [leaf] = chain;
  return leaf !== undefined && names(leaf).some((each) => each.toLowerCase() === name);
}

const names = (leaf: CertificateFacts): string[] => [
  ...leaf.sans.map(({ value }) => value),
  ...leaf.subjectAttributes.filter(({ type }) => type === 'CN').map(({ value }) => value),
];

/** A request to the people who run the proxy, ready to send. */
export function bypassRequest(setup: Setup, server: ServerView, now: number): string {
  const { manager } = setup;
  const [leaf] = server.chain;
  if (manager === null || leaf === undefined) return '';
  const proxy = proxyFor(setup.proxy, manager.host, manager.port);
  const via = proxy === null ? 'without an explicit proxy' : `through the proxy ${proxy.host}:${proxy.port}`;
  return [
    `Subject: Please exempt ${manager.host} from TLS inspection`,
    '',
    'Hello,',
    '',
    `our delegate connects to ${targetOf(manager)} (TCP, TLS, ${via}). It identifies itself with a client`,
    'certificate (mutual TLS). That proof ends where TLS ends: inspected, the connection reaches the other side',
    'without it, and is refused. There is no setting on our side that could change this.',
    '',
    'What we see instead of the certificate of that host:',
    `  subject      ${quoted(leaf.subject)}`,
    `  issuer       ${quoted(leaf.issuer)}`,
    `  SHA-256      ${leaf.fingerprint256}`,
    `  valid from   ${moment(leaf.notBefore.getTime())}`,
    `  seen at      ${moment(now)}`,
    '',
    'Please pass this destination through without decryption:',
    `  host  ${manager.host}`,
    `  port  ${manager.port}`,
    '  what  TLS with client certificates, long-lived WebSocket (wss), outgoing only',
    '',
  ].join('\n');
}
