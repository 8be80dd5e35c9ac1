import { readKeyAlgorithm } from '../algorithms.ts';
import type { KeyUsage } from '../certificate-facts.ts';
import { Extension, readExtensions, sequenceIn } from '../certificate-parts.ts';
import { type DerElement, DerError, expectTag, hex, readChildren, readElement, readOid, Tag } from '../der.ts';
import { readName } from '../distinguished-name.ts';
import { readGeneralNames, type SubjectAlternativeName } from '../general-name.ts';
import { readConstraints, readKeyUsage, readPurposes } from '../read-certificate.ts';
import { verifySigned } from './signing.ts';

const EXTENSION_REQUEST = '1.2.840.113549.1.9.14';
/** What certreq of Windows uses beside or instead of it. */
const MICROSOFT_EXTENSION_REQUEST = '1.3.6.1.4.1.311.2.1.14';

/** What a request (PKCS#10, RFC 2986) asks for. None of it is granted by being read. */
export interface SigningRequestFacts {
  readonly subject: string;
  /** `RSA 2048`, `EC P-256`, ... or a dotted OID. */
  readonly keyAlgorithm: string;
  /** The SubjectPublicKeyInfo, lower-case hex. */
  readonly publicKey: string;
  readonly sans: readonly SubjectAlternativeName[];
  /** OIDs; null when it does not say. */
  readonly purposes: readonly string[] | null;
  readonly keyUsage: readonly KeyUsage[] | null;
  /** It wants to be a CA. */
  readonly wantsCa: boolean;
  /** OIDs of what else it asks for. */
  readonly otherExtensions: readonly string[];
  /** By its own key: the asker holds it, and nobody changed the request. Null for a key that we can't verify with. */
  readonly signatureValid: boolean | null;
}

export interface SigningRequestParts {
  readonly facts: SigningRequestFacts;
  readonly subject: DerElement;
  readonly publicKey: DerElement;
}

/** @throws DerError when the bytes are not one DER request. */
export async function describeSigningRequest(der: Uint8Array): Promise<SigningRequestFacts> {
  return (await readSigningRequest(der)).facts;
}

/** @throws DerError when the bytes are not one DER request. */
export async function readSigningRequest(der: Uint8Array): Promise<SigningRequestParts> {
  const request = expectTag(readElement(der), Tag.SEQUENCE, 'the request');
  if (request.bytes.length !== der.length) throw new DerError('bytes follow the request');
  const [info] = readChildren(request.content);
  const [, subjectName, key, attributes] = readChildren(expectTag(info, Tag.SEQUENCE, 'the request').content);
  const subject = expectTag(subjectName, Tag.SEQUENCE, 'the subject');
  const publicKey = expectTag(key, Tag.SEQUENCE, 'the public key');
  const extensions = requestedExtensions(attributes);
  const names = extensions.get(Extension.SUBJECT_ALTERNATIVE_NAME);
  const facts: SigningRequestFacts = {
    subject: readName(subject).text,
    keyAlgorithm: readKeyAlgorithm(publicKey),
    publicKey: hex(publicKey.bytes),
    sans: names === undefined ? [] : readGeneralNames(sequenceIn(names, 'the subject alternative name')),
    purposes: readPurposes(extensions.get(Extension.EXTENDED_KEY_USAGE)),
    keyUsage: readKeyUsage(extensions.get(Extension.KEY_USAGE)),
    wantsCa: readConstraints(extensions.get(Extension.BASIC_CONSTRAINTS))?.isCa ?? false,
    otherExtensions: [...extensions.keys()].filter((oid) => !understood.has(oid)),
    signatureValid: await isSignedByItself(der, publicKey),
  };
  return { facts, subject, publicKey };
}

const understood: ReadonlySet<string> = new Set([
  Extension.SUBJECT_ALTERNATIVE_NAME,
  Extension.EXTENDED_KEY_USAGE,
  Extension.KEY_USAGE,
  Extension.BASIC_CONSTRAINTS,
]);

async function isSignedByItself(der: Uint8Array, publicKey: DerElement): Promise<boolean | null> {
  try {
    return await verifySigned(der, publicKey.bytes);
  } catch (error) {
    if (error instanceof DerError) return null;
    throw error;
  }
}

function requestedExtensions(attributes: DerElement | undefined): ReadonlyMap<string, Uint8Array> {
  for (const attribute of attributes?.tag === 0xa0 ? readChildren(attributes.content) : []) {
    const [type, values] = readChildren(expectTag(attribute, Tag.SEQUENCE, 'an attribute').content);
    const oid = readOid(expectTag(type, Tag.OID, 'the type of an attribute').content);
    if (oid !== EXTENSION_REQUEST && oid !== MICROSOFT_EXTENSION_REQUEST) continue;
    return readExtensions(expectTag(values, Tag.SET, 'the requested extensions').content).values;
  }
  return new Map();
}
