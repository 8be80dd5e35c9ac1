import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import {
  type CertificateFacts,
  type ConnectionVerdict,
  describeCertificate,
  findAnchor,
  judgeConnection,
  takePeerCertificates,
} from '@sallyport/trust';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import type { LiveEndpoint } from '../endpoints/trust-directory.ts';

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
    const [leaf, ...chainSent] = takePeerCertificates(socket);
    const certificate = leaf === undefined ? null : this.#describe(leaf);
    // Node says "authorized" of a resumed session without having seen a certificate. Resumption is off on this
    // listener; should that ever fail, a resumed connection counts as one that verified nothing.
    const authorized = socket.authorized && !socket.isSessionReused();
    const verdict = judgeConnection({
      endpoint,
      serverName,
      presented:
        certificate === null
          ? null
          : { leaf: certificate, chainSent: authorized ? [] : chainSent.map((sent) => this.#describe(sent)) },
      verification: { authorized, errorCode: errorCodeOf(socket) },
      now: this.#clock.now(),
    });
    const anchor =
      verdict.admitted && leaf !== undefined && endpoint !== null ? this.#anchor(leaf, chainSent, endpoint) : null;
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

  #anchor(leaf: X509Certificate, chainSent: readonly X509Certificate[], endpoint: LiveEndpoint): string | null {
    // The same leaf may come with other intermediates, and so end at another CA of the bundle.
    const key = [endpoint.trustKey, leaf.fingerprint256, ...chainSent.map((sent) => sent.fingerprint256)].join();
    const kept = this.#anchors.get(key);
    if (kept !== undefined) return kept.anchor;
    const anchor = findAnchor(leaf, chainSent, endpoint.authorities);
    this.#anchors.set(key, { anchor });
    return anchor;
  }
}

/** OpenSSL's verification code by name, such as CERT_HAS_EXPIRED; Node types it as Error and gives a string. */
function errorCodeOf(socket: TLSSocket): string | null {
  const error: unknown = socket.authorizationError;
  return error === undefined || error === null ? null : String(error);
}
