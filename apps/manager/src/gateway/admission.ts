import { hash, type X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { PresentedCertificate } from '@sallyport/protocol';
import {
  type CertificateFacts,
  type ConnectionVerdict,
  describeCertificate,
  type IssuerPath,
  judgeConnection,
  judgePolicy,
  type PolicySubject,
  policySubject,
  refuseConnection,
  takePeerCertificates,
  traceIssuers,
} from '@sallyport/trust';
import { boundedCache } from '../bounded-cache.ts';
import type { Clock } from '../clock.ts';
import type { LiveEndpoint } from '../endpoints/trust-directory.ts';
import { presentedCertificate } from './presented-certificate.ts';

export interface AdmissionResult {
  readonly verdict: ConnectionVerdict;
  /** What the client presented; null when it sent no certificate. */
  readonly certificate: CertificateFacts | null;
  /** Null unless it is admitted. Connections with the same certificates share one. */
  readonly client: AdmittedClient | null;
}

export interface AdmittedClient {
  readonly presented: PresentedCertificate;
  /** Fingerprint of the bundle's CA that the certificate's chain ends at; null when that could not be told. */
  readonly anchor: string | null;
  /** What the account's policy has looked at. */
  readonly subject: PolicySubject;
}

/**
 * The first door. Gathers what the handshake left on the socket and asks `trust` for the verdict. Whether the chain
 * verifies is OpenSSL's word alone; certificates are read here to explain, to attribute, and for the account's own policy
 * (revoked, denied, allowed), which can only refuse what OpenSSL has admitted.
 */
export class Admission {
  readonly #clock: Clock;
  /** Reading a certificate costs as much as an RSA verification: once per certificate, not per connection. */
  readonly #facts = boundedCache<string, CertificateFacts>(20_000);
  /** By trust key and the fingerprints of everything that was sent. */
  readonly #traced = boundedCache<string, AdmittedClient>(20_000);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  judge(socket: TLSSocket, serverName: string | null, endpoint: LiveEndpoint | null): AdmissionResult {
    const [leaf, ...chainSent] = takePeerCertificates(socket);
    const certificate = leaf === undefined ? null : this.#describe(leaf);
    // Node says "authorized" of a resumed session without having seen a certificate. Resumption is off on this
    // listener; should that ever fail, a resumed connection counts as one that verified nothing.
    const authorized = socket.authorized && !socket.isSessionReused();
    const now = this.#clock.now();
    const input = {
      endpoint,
      serverName,
      presented:
        certificate === null
          ? null
          : { leaf: certificate, chainSent: authorized ? [] : chainSent.map((sent) => this.#describe(sent)) },
      verification: { authorized, errorCode: errorCodeOf(socket) },
      now,
    };
    const verdict = judgeConnection(input);
    if (!verdict.admitted || leaf === undefined || certificate === null || endpoint === null) {
      return { verdict, certificate, client: null };
    }
    const client = this.#trace(leaf, certificate, chainSent, endpoint);
    const refused = judgePolicy(endpoint.policy.clients, client.subject, now);
    if (refused === null) return { verdict, certificate, client };
    return { verdict: refuseConnection(input, refused), certificate, client: null };
  }

  #describe(certificate: X509Certificate): CertificateFacts {
    const key = certificate.fingerprint256;
    const kept = this.#facts.get(key);
    if (kept !== undefined) return kept;
    const facts = describeCertificate(certificate);
    this.#facts.set(key, facts);
    return facts;
  }

  #trace(
    leaf: X509Certificate,
    certificate: CertificateFacts,
    chainSent: readonly X509Certificate[],
    endpoint: LiveEndpoint,
  ): AdmittedClient {
    // The same leaf may come with other intermediates, and so end at another CA of the bundle.
    const sent = [endpoint.trustKey, leaf.fingerprint256, ...chainSent.map(({ fingerprint256 }) => fingerprint256)];
    // Hashed when there are many: a client may send a hundred certificates, and others in every connection.
    const key = sent.length <= 3 ? sent.join() : hash('sha256', sent.join(), 'base64');
    const kept = this.#traced.get(key);
    if (kept !== undefined) return kept;
    const path: IssuerPath = traceIssuers(leaf, chainSent, endpoint.authorities, (above) => this.#describe(above));
    const traced = {
      presented: presentedCertificate(certificate),
      anchor: path.anchor,
      subject: policySubject(certificate, path),
    };
    this.#traced.set(key, traced);
    return traced;
  }
}

/** OpenSSL's verification code by name, such as CERT_HAS_EXPIRED; Node types it as Error and gives a string. */
function errorCodeOf(socket: TLSSocket): string | null {
  const error: unknown = socket.authorizationError;
  return error === undefined || error === null ? null : String(error);
}
