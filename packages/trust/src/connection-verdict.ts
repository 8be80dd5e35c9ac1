import type { CaAuthority } from './ca-authority.ts';
import type { CertificateFacts } from './certificate-facts.ts';
import { escapeValue } from './distinguished-name.ts';
import { type Explanation, explainLeafDates, explainRejection } from './explain-rejection.ts';
import type { Refusal } from './reasons.ts';
import { listSubjects, quoteSubject, shorten } from './wording.ts';

export interface ConnectionInput {
  /** The endpoint that the canonical server name belongs to, null for none. */
  readonly endpoint: {
    readonly fqdn: string;
    readonly accountId: string;
    readonly authorities: readonly CaAuthority[];
  } | null;
  /** The server name that the client asked for, null for none. It only explains. */
  readonly serverName: string | null;
  /** Null when the client sent no certificate; `chainSent` is what it sent besides its own. */
  readonly presented: { readonly leaf: CertificateFacts; readonly chainSent: readonly CertificateFacts[] } | null;
  /** `socket.authorized` and `socket.authorizationError`, of a full handshake under this endpoint's bundle. */
  readonly verification: { readonly authorized: boolean; readonly errorCode: string | null };
  /** Intermediates seen before; they only explain. */
  readonly knownIntermediates?: readonly CertificateFacts[];
  readonly now: Date;
}

export interface ConnectionEvidence {
  readonly endpoint: string | null;
  readonly accountId: string | null;
  readonly serverName: string | null;
  readonly errorCode: string | null;
  readonly certificate: Pick<
    CertificateFacts,
    'subject' | 'issuer' | 'serialNumber' | 'fingerprint256' | 'notBefore' | 'notAfter'
  > | null;
  /** Subjects of the certificates sent besides the leaf, at most ten. */
  readonly chainSent: readonly string[];
  /** Subjects of the CAs that the endpoint trusts. */
  readonly trusted: readonly string[];
}

export interface ConnectionAdmission {
  readonly admitted: true;
  /** The endpoint's name: what the second door compares with the account's own. */
  readonly authority: string;
  readonly accountId: string;
  readonly fingerprint256: string;
  /** The admission must not outlive this moment: the leaf's notAfter. */
  readonly validUntil: Date;
}

export type ConnectionVerdict = ConnectionAdmission | Refusal<ConnectionEvidence>;

/**
 * The first door: may this connection in? The path was validated by OpenSSL in the handshake (`verification`); this adds
 * what OpenSSL does not ask, and says why. Pure. An admission means: the client holds the key of a certificate that is in
 * date at `now`, is no CA, and has a path to a CA of this endpoint. It says nothing about revocation (`judgePolicy()`) or about the account.
 */
export function judgeConnection(input: ConnectionInput): ConnectionVerdict {
  const { endpoint, presented } = input;
  const explanation = refusalOf(input);
  if (explanation !== null) return refuseConnection(input, explanation);
  // refusalOf() has refused both nulls; asked again here so that no later edit of it can admit one.
  if (endpoint === null || presented === null) throw new TypeError('a connection without endpoint or certificate');
  return {
    admitted: true,
    authority: endpoint.fqdn,
    accountId: endpoint.accountId,
    fingerprint256: presented.leaf.fingerprint256,
    validUntil: presented.leaf.notAfter,
  };
}

/** The refusal of a connection that `judgeConnection()` has admitted and the account's own policy does not. */
export function refuseConnection(input: ConnectionInput, explanation: Explanation): Refusal<ConnectionEvidence> {
  return { admitted: false, ...explanation, evidence: evidenceOf(input) };
}

function refusalOf(input: ConnectionInput): Explanation | null {
  const { endpoint, serverName, presented, verification, now } = input;
  if (endpoint === null) return explainUnknownEndpoint(serverName);
  // A session resumed under TLS 1.3 without any certificate reads `authorized: true` (nodejs/node#35317), and a client
  // without one reads UNABLE_TO_GET_ISSUER_CERT: only the certificate itself tells.
  if (presented === null) {
    return {
      reason: 'NO_CLIENT_CERTIFICATE',
      message: `The connection to ${endpoint.fqdn} presented no client certificate.`,
      remedy: `Give the delegate a client certificate (DELEGATE_CLIENT_CERTIFICATE_PATH and DELEGATE_CLIENT_CERTIFICATE_KEY_PATH) from ${endpoint.authorities.length === 0 ? "the account's CA" : listSubjects(endpoint.authorities)}.`,
    };
  }
  const { leaf, chainSent } = presented;
  const { authorities } = endpoint;
  // Whoever holds a CA's key can sign itself any identity; a CA certificate on a delegate means that its key is there too.
  // OpenSSL admits one as a client when its key usage allows signatures.
  const inBundle = authorities.some(({ publicKey }) => publicKey === leaf.publicKey);
  if (inBundle || (leaf.isCa && leaf.version !== 1)) {
    return {
      reason: 'CA_AS_LEAF',
      message: `The client presented ${leaf.isCa ? 'the CA certificate' : 'the certificate'} ${quoteSubject(leaf)} as its own${inBundle ? ', with the key of a CA that the endpoint trusts' : ''}.`,
      remedy: 'Present a client certificate that the CA signed, and take the key of the CA off this machine.',
    };
  }
  if (leaf.malformed !== null) {
    return {
      reason: 'CLIENT_CERTIFICATE_REJECTED',
      message: `The client certificate ${quoteSubject(leaf)} is not valid DER: ${leaf.malformed} (MALFORMED_CERTIFICATE).`,
      remedy: 'Issue the client certificate anew with a tool that follows RFC 5280.',
    };
  }
  const outOfDate = explainLeafDates(leaf, authorities, now);
  if (outOfDate !== null) return outOfDate;
  if (verification.authorized && verification.errorCode === null && authorities.length > 0) return null;
  return explainRejection({
    errorCode: authorities.length === 0 ? 'CERT_UNTRUSTED' : verification.errorCode,
    leaf,
    chainSent,
    authorities,
    knownIntermediates: input.knownIntermediates ?? [],
    now,
  });
}

function explainUnknownEndpoint(serverName: string | null): Explanation {
  const remedy =
    'Set MANAGER_HOST_AND_PORT to the URL of the account\'s mTLS endpoint, as "sallyport endpoint show" prints it.';
  return serverName === null
    ? { reason: 'UNKNOWN_ENDPOINT', message: 'The client named no server (no SNI), so no endpoint is meant.', remedy }
    : {
        reason: 'UNKNOWN_ENDPOINT',
        message: `No endpoint has the name "${escapeValue(shorten(serverName))}".`,
        remedy,
      };
}

function evidenceOf({ endpoint, serverName, presented, verification }: ConnectionInput): ConnectionEvidence {
  const leaf = presented?.leaf;
  return {
    endpoint: endpoint?.fqdn ?? null,
    accountId: endpoint?.accountId ?? null,
    serverName: serverName === null ? null : shorten(serverName),
    errorCode: verification.errorCode,
    certificate:
      leaf === undefined
        ? null
        : {
            subject: shorten(leaf.subject),
            issuer: shorten(leaf.issuer),
            serialNumber: shorten(leaf.serialNumber),
            fingerprint256: leaf.fingerprint256,
            notBefore: leaf.notBefore,
            notAfter: leaf.notAfter,
          },
    chainSent: presented?.chainSent.slice(0, 10).map(({ subject }) => shorten(subject)) ?? [],
    trusted: endpoint?.authorities.map(({ subject }) => shorten(subject)) ?? [],
  };
}
