import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readCaBundle } from './ca-bundle.ts';
import { describeCertificate } from './client-certificate.ts';
import { type ConnectionVerdict, judgeConnection } from './connection-verdict.ts';
import { createEndpointContext, type HandshakeResult, handshakeInProcess } from './in-process-handshake.ts';
import { createAuthority } from './issuance/create-authority.ts';
import { issueServerCertificate } from './issuance/issue-server-certificate.ts';
import { findAnchor } from './issuer-path.ts';
import { PemError, readPemBlocks } from './pem.ts';
import { quoteSubject } from './wording.ts';

export type VerificationProblem =
  | 'CERTIFICATE_UNREADABLE'
  | 'KEY_NEEDED'
  | 'KEY_UNREADABLE'
  | 'KEY_MISMATCH'
  | 'WRONG_ORDER'
  | 'KEY_UNUSABLE'
  | 'HANDSHAKE_FAILED';

/** Why there is no verdict: no handshake could be made with what was given. Says nothing about the certificate's trust. */
export class VerificationError extends Error {
  override readonly name = 'VerificationError';
  readonly problem: VerificationProblem;

  constructor(problem: VerificationProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.problem = problem;
  }
}

export interface VerificationRequest {
  /** The endpoint's CA bundle. */
  readonly bundlePem: string;
  /** client.crt: the leaf, then the intermediates that the client would send. */
  readonly certificatePem: string;
  /** client.key. A TLS handshake can't be made without it, and nothing else is OpenSSL's verdict. */
  readonly keyPem: string | null;
  readonly passphrase?: string;
  readonly fqdn: string;
  /** For dates beyond OpenSSL's own look at the system's clock. */
  readonly now: Date;
}

export interface Verification {
  readonly verdict: ConnectionVerdict;
  /** The CA of the bundle that the leaf comes from, by fingerprint; null when refused or not found. */
  readonly anchor: string | null;
}

/**
 * The gateway's verdict on a client certificate, by a real TLS 1.3 handshake in memory with the gateway's own options.
 * Never a chain check of ours: those accept a certificate that a delegate signed with its own.
 * @throws CaBundleError for the bundle, VerificationError when no handshake can be made.
 */
export async function verifyClientCertificate(request: VerificationRequest): Promise<Verification> {
  const { authorities } = readCaBundle(request.bundlePem, request.now);
  const [leaf, ...others] = readCertificates(request.certificatePem);
  if (request.keyPem === null) {
    throw new VerificationError(
      'KEY_NEEDED',
      `The verdict on ${quoteSubject(describeCertificate(leaf))} needs its private key, for it is made by a real TLS handshake. Give client.key.`,
    );
  }
  const key = readKey(request.keyPem, request.passphrase);
  if (!leaf.checkPrivateKey(key)) {
    const place = others.findIndex((certificate) => certificate.checkPrivateKey(key)) + 2;
    if (place > 1) {
      throw new VerificationError(
        'WRONG_ORDER',
        `The client certificate is in place ${place} of ${others.length + 1}, and it must come first. Put them in order: "sallyport cert chain FILE --out client.crt" does it.`,
      );
    }
    throw new VerificationError(
      'KEY_MISMATCH',
      `The key is not the one of ${quoteSubject(describeCertificate(leaf))}. Give the client.key that was made with it.`,
    );
  }
  const pem = key.export({ type: 'pkcs8', format: 'pem' }).toString();
  const handshake = await shakeHands(
    request,
    authorities.map((authority) => authority.pem),
    pem,
  );
  const [sentLeaf, ...chainSent] = handshake.sent;
  if (sentLeaf === undefined) {
    const facts = describeCertificate(leaf);
    throw new VerificationError(
      'KEY_UNUSABLE',
      `OpenSSL's client sent no certificate, for TLS 1.3 has no signature for the key of ${quoteSubject(facts)} (${facts.keyAlgorithm}). Use RSA 2048 or EC P-256.`,
    );
  }
  const verdict = judgeConnection({
    endpoint: { fqdn: request.fqdn, accountId: '', authorities },
    serverName: request.fqdn,
    presented: { leaf: describeCertificate(sentLeaf), chainSent: chainSent.map(describeCertificate) },
    verification: handshake,
    now: request.now,
  });
  return { verdict, anchor: verdict.admitted ? findAnchor(leaf, chainSent, authorities) : null };
}

async function shakeHands(request: VerificationRequest, ca: readonly string[], key: string): Promise<HandshakeResult> {
  const { certificatePem, fqdn } = request;
  const server = await throwAwayServer();
  try {
    // The server's rules decide, so the client end must not be the stricter one: weak keys get as far as the server.
    const client = { servername: fqdn, cert: certificatePem, key, ciphers: 'DEFAULT@SECLEVEL=0' };
    return await handshakeInProcess(createEndpointContext({ ...server, ca }), client);
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new VerificationError(
      'HANDSHAKE_FAILED',
      `OpenSSL ended the handshake before a verdict: ${detail}. Check client.crt and client.key, and use RSA 2048 or EC P-256.`,
      { cause: error },
    );
  }
}

/** The client does not look at the server's certificate, so any will do. */
async function throwAwayServer(): Promise<{ readonly cert: string; readonly key: string }> {
  const now = new Date();
  const ca = await createAuthority({ subject: { commonName: 'throw-away' }, keyAlgorithm: 'EC P-256', days: 1, now });
  const server = await issueServerCertificate({ authority: ca, dnsNames: ['throw-away.invalid'], days: 1, now });
  return { cert: server.certificatePem, key: server.privateKeyPem };
}

function readCertificates(pem: string): [X509Certificate, ...X509Certificate[]] {
  try {
    const ders = readPemBlocks(pem).filter(({ label }) => label === 'CERTIFICATE');
    const [leaf, ...others] = ders.map(({ text }) => new X509Certificate(text));
    if (leaf !== undefined) return [leaf, ...others];
  } catch (error) {
    const detail = error instanceof PemError ? error.message : 'OpenSSL finds no certificate in one of its blocks';
    throw new VerificationError(
      'CERTIFICATE_UNREADABLE',
      `The client certificate can't be read: ${detail}. Give the whole client.crt.`,
    );
  }
  throw new VerificationError(
    'CERTIFICATE_UNREADABLE',
    'The text holds no PEM certificate. Give client.crt in PEM form.',
  );
}

function readKey(pem: string, passphrase: string | undefined): KeyObject {
  try {
    return createPrivateKey(passphrase === undefined ? pem : { key: pem, passphrase });
  } catch {
    // OpenSSL's text may be about the key's inside; the form is what helps.
    throw new VerificationError(
      'KEY_UNREADABLE',
      'The private key is damaged, or its passphrase is missing or wrong. Give client.key in PEM form.',
    );
  }
}
