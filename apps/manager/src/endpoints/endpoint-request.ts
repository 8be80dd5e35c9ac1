import { type AgentMtlsEndpointRequest, type EndpointMode, SallyportError } from '@sallyport/protocol';
import { type CaBundle, CaBundleError, readCaBundle } from '@sallyport/trust';
import { fqdnForPrefix } from './domain-prefix.ts';

/** A change after validation, with the values that it leaves alone left out. */
export interface EndpointChange {
  readonly fqdn?: string;
  readonly mode?: EndpointMode;
  readonly caCertificates?: string;
}

/** What creates or replaces an endpoint, checked in the order that existing clients know: CA, prefix, mode. */
export function readWhole(request: AgentMtlsEndpointRequest, agentDomain: string, now: Date): Required<EndpointChange> {
  const caCertificates = readBundleText(request.caCertificates, now);
  const fqdn = fqdnForPrefix(request.domainPrefix, agentDomain);
  if (request.mode === undefined || request.mode === null) {
    throw new SallyportError('INVALID_REQUEST', 'No agent mTLS mode was provided.', {
      remedy: 'Send mode LOOSE (delegates without mTLS are accepted too) or STRICT (mTLS only).',
    });
  }
  return { caCertificates, fqdn, mode: request.mode };
}

/** As readWhole, for the fields that are there; at least one has to be. */
export function readPart(request: AgentMtlsEndpointRequest, agentDomain: string, now: Date): EndpointChange {
  const { caCertificates, domainPrefix, mode } = request;
  const change: EndpointChange = {
    ...(isPresent(caCertificates) && { caCertificates: readBundleText(caCertificates, now) }),
    ...(isPresent(domainPrefix) && { fqdn: fqdnForPrefix(domainPrefix, agentDomain) }),
    ...(isPresent(mode) && { mode }),
  };
  if (Object.keys(change).length === 0) throw new SallyportError('INVALID_REQUEST', 'The patch request is empty.');
  return change;
}

/** Throws INVALID_CA_BUNDLE. Its message never quotes the text, which may hold a private key. */
export function readBundle(pem: string, now: Date): CaBundle {
  // PostgreSQL stores no NUL, and no PEM file has one.
  if (pem.includes('\0')) throw new SallyportError('INVALID_CA_BUNDLE', 'The CA bundle holds a NUL character.');
  try {
    return readCaBundle(pem, now);
  } catch (error) {
    // The text itself must not travel further.
    if (!(error instanceof CaBundleError)) throw error;
    throw new SallyportError('INVALID_CA_BUNDLE', error.message, { details: { problem: error.problem } });
  }
}

function readBundleText(pem: string | null | undefined, now: Date): string {
  if (!isPresent(pem) || pem.trim() === '') {
    throw new SallyportError('INVALID_REQUEST', 'No CA certificate was provided for the agent mTLS endpoint.', {
      remedy: 'Send the PEM text of your CA certificate (ca.crt) in caCertificates.',
    });
  }
  readBundle(pem, now);
  return pem;
}

function isPresent<T>(value: T | null | undefined): value is T {
  return value !== null && value !== undefined;
}
