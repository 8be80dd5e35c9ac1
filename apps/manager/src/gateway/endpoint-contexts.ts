import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { boundedCache } from '../bounded-cache.ts';
import type { LiveEndpoint } from '../endpoints/trust-directory.ts';
import { SHARED_TLS_OPTIONS } from './tls-options.ts';

export interface ServerPair {
  readonly certificate: string;
  readonly key: string;
}

/**
 * Measured at about 35 KiB a context: at most about 350 MB, and only when that many endpoints are in use at once.
 * A bound below the number of active endpoints costs half as much CPU again per handshake, so it is generous.
 */
const MAX_CONTEXTS = 10_000;

/**
 * One TLS context an endpoint, with that account's CA bundle and nothing else. Built on first use and found by the
 * endpoint's trust key, so that a context can never serve another state of trust than the one it was built from.
 */
export class EndpointContexts {
  readonly #contexts = boundedCache<string, SecureContext>(MAX_CONTEXTS);
  readonly #minVersion: 'TLSv1.2' | 'TLSv1.3';
  #pair: ServerPair;

  constructor(pair: ServerPair, minVersion: 'TLSv1.2' | 'TLSv1.3') {
    this.#pair = pair;
    this.#minVersion = minVersion;
  }

  /** Throws when OpenSSL does not take the bundle, and for an endpoint that trusts nobody: the handshake then fails. */
  contextOf(endpoint: LiveEndpoint): SecureContext {
    const kept = this.#contexts.get(endpoint.trustKey);
    if (kept !== undefined) return kept;
    const context = createSecureContext({
      ...serverOptions(this.#pair, this.#minVersion),
      ...clientTrust(endpoint.authorities.map((authority) => authority.pem)),
    });
    this.#contexts.set(endpoint.trustKey, context);
    return context;
  }

  /** New handshakes get the new server certificate; live connections keep theirs. */
  replaceServerPair(pair: ServerPair): void {
    this.#pair = pair;
    this.#contexts.clear();
  }
}

export function serverOptions(pair: ServerPair, minVersion: 'TLSv1.2' | 'TLSv1.3'): SecureContextOptions {
  return { ...SHARED_TLS_OPTIONS, minVersion, key: pair.key, cert: pair.certificate };
}

/**
 * The CAs that client certificates are verified against, as options. `ca: undefined` would mean the public roots that
 * Node bundles: a certificate from any web CA would then open every customer's door. So there is no way to ask for an
 * empty set here.
 */
export function clientTrust(
  authorities: readonly string[],
): Required<Pick<SecureContextOptions, 'ca' | 'allowPartialTrustChain'>> {
  if (authorities.length === 0) throw new Error('an endpoint without a readable CA certificate admits nobody');
  // A customer may have uploaded only the issuing CA, not its root.
  return { ca: [...authorities], allowPartialTrustChain: true };
}
