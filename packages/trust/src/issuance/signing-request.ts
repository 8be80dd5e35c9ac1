import { Purpose } from '../certificate-facts.ts';
import { Extension } from '../certificate-parts.ts';
import { DerError } from '../der.ts';
import type { SubjectAlternativeName } from '../general-name.ts';
import { extensionName, purposeName } from '../oid-names.ts';
import { PemError, readPemBlocks, writePemBlock } from '../pem.ts';
import { extendedKeyUsage, subjectAlternativeName } from './certificate-builder.ts';
import { delegateSan, isDnsName } from './delegate-name.ts';
import { context, oid, sequence, setOf, smallInteger } from './der-writer.ts';
import { IssuanceError } from './issuance-error.ts';
import { type IssuedCertificate, issue } from './issue.ts';
import { DEFAULT_CLIENT_DAYS } from './issue-client-certificate.ts';
import { type IssuingAuthority, openAuthority } from './issuing-authority.ts';
import { type SubjectInput, writeName } from './name-writer.ts';
import { writePrivateKey } from './private-key.ts';
import { readSigningRequest, type SigningRequestFacts, type SigningRequestParts } from './read-signing-request.ts';
import { exportPublicKey, generateKeyPair, type KeyAlgorithm, signed } from './signing.ts';

const EXTENSION_REQUEST = '1.2.840.113549.1.9.14';

export interface SigningRequestWish {
  readonly name: string;
  readonly subject?: Omit<SubjectInput, 'commonName'>;
  readonly keyAlgorithm?: KeyAlgorithm;
}

export interface SigningRequest {
  readonly requestPem: string;
  readonly privateKeyPem: string;
}

/** Makes a key and a request (PKCS#10, RFC 2986) for a CA that lives elsewhere. @throws IssuanceError */
export async function createSigningRequest({
  name,
  subject,
  keyAlgorithm = 'RSA 2048',
}: SigningRequestWish): Promise<SigningRequest> {
  const extensions = sequence(subjectAlternativeName([delegateSan(name)]), extendedKeyUsage(Purpose.CLIENT_AUTH));
  const keys = await generateKeyPair(keyAlgorithm);
  const publicKey = await exportPublicKey(keys.publicKey);
  const attributes = context(0, sequence(oid(EXTENSION_REQUEST), setOf(extensions)));
  const der = await signed(
    () => sequence(smallInteger(0), writeName({ ...subject, commonName: name }), publicKey, attributes),
    keys.privateKey,
  );
  return { requestPem: writePemBlock('CERTIFICATE REQUEST', der), privateKeyPem: await writePrivateKey(keys) };
}

export interface RequestSigning {
  readonly authority: IssuingAuthority;
  readonly requestPem: string;
  readonly days?: number;
  readonly now: Date;
}

export interface SignedRequest extends IssuedCertificate {
  /** What the request asked for and did not get, in words. */
  readonly dropped: readonly string[];
}

/**
 * Signs a request as a client certificate. Of the request it takes the subject, the public key, and names of the kinds
 * dns, uri and email; everything else is ours, whatever was asked. The request's signature is verified, so the asker
 * holds the key; who the asker is, and whether the names are its own, is for the caller to know.
 * @throws IssuanceError
 */
export async function signRequest({
  authority,
  requestPem,
  days = DEFAULT_CLIENT_DAYS,
  now,
}: RequestSigning): Promise<SignedRequest> {
  const request = await readRequest(requestPem);
  const opened = await openAuthority(authority, now);
  const names = request.facts.sans.filter(isPermitted);
  const issued = await issue(
    {
      subject: request.subject.bytes,
      publicKey: request.publicKey.bytes,
      days,
      now,
      keyUsage: ['digitalSignature'],
      extensions: [
        extendedKeyUsage(Purpose.CLIENT_AUTH),
        ...(names.length === 0 ? [] : [subjectAlternativeName(names)]),
      ],
    },
    opened,
    opened.signingKey,
  );
  return { ...issued, dropped: notGranted(request.facts) };
}

async function readRequest(pem: string): Promise<SigningRequestParts> {
  let request: SigningRequestParts;
  try {
    const block = readPemBlocks(pem).find(({ label }) => /^(?:NEW )?CERTIFICATE REQUEST$/.test(label));
    if (block?.der == null) throw new DerError('no "-----BEGIN CERTIFICATE REQUEST-----" block with base64 in it');
    request = await readSigningRequest(block.der);
  } catch (error) {
    if (!(error instanceof DerError) && !(error instanceof PemError)) throw error;
    throw new IssuanceError(
      'REQUEST_UNREADABLE',
      `The request can't be read: ${error.message}. Make it with "openssl req -new" or anew.`,
    );
  }
  const { facts } = request;
  refuseKey(facts.keyAlgorithm);
  if (facts.subject === '') {
    throw new IssuanceError('REQUEST_REFUSED', 'The request has an empty subject. Make it with a common name.');
  }
  if (facts.signatureValid === true) return request;
  throw new IssuanceError(
    'REQUEST_REFUSED',
    facts.signatureValid === null
      ? 'The request is signed in a way that is not known here. Make it anew with SHA-256, as "openssl req -new" does.'
      : "The request's signature is not by its own key: it was changed. Make it anew.",
  );
}

/** Short keys are refused by every gateway; enormous ones only cost time to verify. */
function refuseKey(algorithm: string): void {
  const rsa = /^RSA (\d+)$/.exec(algorithm);
  const fine =
    rsa === null
      ? algorithm === 'EC P-256' || algorithm === 'EC P-384'
      : Number(rsa[1]) >= 2048 && Number(rsa[1]) <= 8192;
  if (fine) return;
  throw new IssuanceError(
    'REQUEST_REFUSED',
    `The request's key is ${algorithm}. Use RSA from 2048 to 8192 bits, or EC on P-256 or P-384.`,
  );
}

/** A request may ask for CA:TRUE, keyCertSign or serverAuth: copied, its owner could make delegates of its own. */
function notGranted({ sans, purposes, keyUsage, wantsCa, otherExtensions }: SigningRequestFacts): string[] {
  return [
    ...(wantsCa ? ['to be a CA (basicConstraints CA:TRUE)'] : []),
    ...(purposes ?? []).filter((oid) => oid !== Purpose.CLIENT_AUTH).map((oid) => `the purpose ${purposeName(oid)}`),
    ...(keyUsage ?? []).filter((use) => use !== 'digitalSignature').map((use) => `the key usage ${use}`),
    // The certificate gets a key id in any case.
    ...otherExtensions
      .filter((oid) => oid !== Extension.SUBJECT_KEY_ID)
      .map((oid) => `the extension ${extensionName(oid)}`),
    ...sans.filter((name) => !isPermitted(name)).map(({ type, value }) => `the ${type} name ${JSON.stringify(value)}`),
  ];
}

/** Printable ASCII only: a NUL or a line break in a name makes two readers see two names. */
function isPermitted({ type, value }: SubjectAlternativeName): boolean {
  if (type === 'dns') return isDnsName(value);
  if (type === 'uri') return /^[A-Za-z][A-Za-z0-9+.-]*:[!-~]+$/.test(value);
  return type === 'email' && /^[!-?A-~]+@[!-?A-~]+$/.test(value);
}
