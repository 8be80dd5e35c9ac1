import type { X509Certificate } from 'node:crypto';
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';
import { X509Certificate as Certificate } from 'node:crypto';
import {
  type CertificateFacts,
  type ConnectionVerdict,
  describeCertificate,
  findAnchor,
  judgeConnection,
} from '@sallyport/trust';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import type { LiveEndpoint } from '../endpoints/trust-directory.ts';

/** A client cannot make us walk more certificates than this; OpenSSL's own limit for a chain is 100. */
const MAX_CHAIN = 32;

export interface AdmissionResult {
  readonly verdict: ConnectionVerdict;
  /** What the client presented; null when it sent no certificate. */
  readonly certificate: CertificateFacts | null;
  /** The CA of the bundle that an admitted certificate's chain ends at. */
  readonly anchor: string | null;
}

/**
 * The first door. Gathers what the handshake left on the socket and asks `trust` for the verdict. Whether the chain
 * verifies is OpenSSL's word alone; certificates are read here to explain and to attribute.
 */
export class Admission {
  readonly #clock: Clock;
  /** Reading a certificate costs as much as an RSA verification: once per certificate, not per connection. */
  readonly #facts = new LRUCache<string, CertificateFacts>({ max: 20_000 });
  /** Fingerprint and trust key -> anchor. */
  readonly #anchors = new LRUCache<string, { anchor: string | null }>({ max: 20_000 });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  judge(socket: TLSSocket, serverName: string | null, endpoint: LiveEndpoint | null): AdmissionResult {
    const leaf = socket.getPeerX509Certificate();
    const certificate = leaf === undefined ? null : this.#describe(leaf);
    // Node says "authorized" of a resumed session without having seen a certificate. Resumption is off on this
    // listener; should that ever fail, a resumed connection counts as one that verified nothing.
    const authorized = socket.authorized && !socket.isSessionReused();
    const errorCode = errorCodeOf(socket);
    const chainSent = leaf === undefined || authorized ? [] : chainOf(socket).map((sent) => this.#describe(sent));
    const verdict = judgeConnection({
      endpoint,
      serverName,
      presented: certificate === null ? null : { leaf: certificate, chainSent },
      verification: { authorized, errorCode },
      now: this.#clock.now(),
    });
    const anchor = verdict.admitted && leaf !== undefined && endpoint !== null ? this.#anchor(socket, leaf, endpoint) : null;
    return { verdict, certificate, anchor };
  }

  #describe(certificate: X509Certificate): CertificateFacts {
    const key = certificate.fingerprint256;
    const kept = this.#facts.get(key);
    if (kept !== undefined) return kept;
    const facts = describeCertificate(certificate);
    this.#facts.set(key, facts);
    return facts;
  }

  #anchor(socket: TLSSocket, leaf: X509Certificate, endpoint: LiveEndpoint): string | null {
    const key = `${leaf.fingerprint256}:${endpoint.trustKey}`;
    const kept = this.#anchors.get(key);
    if (kept !== undefined) return kept.anchor;
    const anchor = findAnchor(leaf, chainOf(socket), endpoint.authorities);
    this.#anchors.set(key, { anchor });
    return anchor;
  }
}

/** The certificates that the client sent above its own. */
function chainOf(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  const seen = new Set<string>();
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (next !== undefined && next.raw !== undefined && chain.length <= MAX_CHAIN && !seen.has(next.fingerprint256)) {
    seen.add(next.fingerprint256);
    chain.push(new Certificate(next.raw));
    next = next.issuerCertificate;
  }
  return chain.slice(1);
}

/** OpenSSL's verification code by name, such as CERT_HAS_EXPIRED; Node types it as Error and gives a string. */
function errorCodeOf(socket: TLSSocket): string | null {
  const error: unknown = socket.authorizationError;
  if (error === undefined || error === null) return null;
  return error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.message) : String(error);
}
