import { Purpose } from '../certificate-facts.ts';
import { extendedKeyUsage, subjectAlternativeName } from './certificate-builder.ts';
import { isDnsName } from './delegate-name.ts';
import { ipAddressBytes } from './ip-address.ts';
import { IssuanceError } from './issuance-error.ts';
import { type IssuedPair, issue } from './issue.ts';
import { type IssuingAuthority, openAuthority } from './issuing-authority.ts';
import { writeName } from './name-writer.ts';
import { writePrivateKey } from './private-key.ts';
import { exportPublicKey, generateKeyPair, type KeyAlgorithm } from './signing.ts';

export interface ServerCertificateRequest {
  readonly authority: IssuingAuthority;
  /** `*.` is allowed as the first label. */
  readonly dnsNames: readonly string[];
  readonly ipAddresses?: readonly string[];
  readonly days?: number;
  /** EC P-256 unless told: an RSA key costs 0.2 ms more a handshake. */
  readonly keyAlgorithm?: KeyAlgorithm;
  readonly now: Date;
}

/** Makes a key and a TLS server certificate (serverAuth only) for the given hosts. @throws IssuanceError */
export async function issueServerCertificate(request: ServerCertificateRequest): Promise<IssuedPair> {
  const { dnsNames, ipAddresses = [], days = DEFAULT_SERVER_DAYS, keyAlgorithm = 'EC P-256', now } = request;
  for (const name of dnsNames) if (!isDnsName(name.replace(/^\*\./, ''))) throw invalid(name, 'DNS name');
  for (const address of ipAddresses) if (!isIpAddress(address)) throw invalid(address, 'IP address');
  const first = dnsNames[0] ?? ipAddresses[0];
  if (first === undefined) {
    throw new IssuanceError(
      'INVALID_NAME',
      'A server certificate needs a name. Give at least one DNS name or IP address.',
    );
  }
  const authority = await openAuthority(request.authority, now);
  const keys = await generateKeyPair(keyAlgorithm);
  const sans = [
    ...dnsNames.map((value) => ({ type: 'dns', value }) as const),
    ...ipAddresses.map((value) => ({ type: 'ip', value }) as const),
  ];
  const issued = await issue(
    {
      subject: writeName({ commonName: first.length > 64 ? 'TLS server' : first }),
      publicKey: await exportPublicKey(keys.publicKey),
      days,
      now,
      keyUsage: ['digitalSignature'],
      extensions: [extendedKeyUsage(Purpose.SERVER_AUTH), subjectAlternativeName(sans)],
    },
    authority,
    authority.signingKey,
  );
  return { ...issued, privateKeyPem: await writePrivateKey(keys) };
}

/** The longest that clients of the public web take, kept for private CAs too. */
const DEFAULT_SERVER_DAYS = 397;

function isIpAddress(text: string): boolean {
  try {
    return ipAddressBytes(text).length > 0;
  } catch {
    return false;
  }
}

function invalid(value: string, kind: string): IssuanceError {
  return new IssuanceError(
    'INVALID_NAME',
    `${JSON.stringify(value.slice(0, 260))} is not a ${kind}. Give it as clients use it.`,
  );
}
