import { type DerElement, DerError, expectTag, hex, readChildren, readElement, readOid, Tag } from './der.ts';

/** What a file without a label can be. */
export type DerKind =
  | 'certificate'
  | 'request'
  | 'revocation list'
  | 'PKCS#7'
  | 'PKCS#12'
  | 'PKCS#8 key'
  | 'encrypted PKCS#8 key'
  | 'PKCS#1 key'
  | 'SEC 1 key'
  | 'public key';

const SIGNED_DATA = '1.2.840.113549.1.7.2';

/**
 * What the bytes look like, by their outermost elements: nothing is said about whether the rest of them is in order.
 * Null for what is none of these.
 */
export function identifyDer(der: Uint8Array): DerKind | null {
  const container = identifyContainer(der);
  if (container !== null) return container;
  try {
    const [first, second, third] = readChildren(expectTag(readElement(der), Tag.SEQUENCE, 'it').content);
    if (first?.tag === Tag.INTEGER) return identifyKey(second);
    if (first?.tag !== Tag.SEQUENCE) return null;
    if (third?.tag === Tag.BIT_STRING) return identifySigned(readChildren(first.content));
    if (second?.tag === Tag.OCTET_STRING) return 'encrypted PKCS#8 key';
    return second?.tag === Tag.BIT_STRING ? 'public key' : null;
  } catch (error) {
    if (error instanceof DerError) return null;
    throw error;
  }
}

/** The certificates of a PKCS#7 SignedData (RFC 2315 9.1), as they lie there, which need not be in order. @throws DerError */
export function certificatesOfPkcs7(der: Uint8Array): Uint8Array[] {
  const [type, content] = readChildren(expectTag(readElement(der), Tag.SEQUENCE, 'the PKCS#7 file').content);
  if (readOid(expectTag(type, Tag.OID, 'the content type').content) !== SIGNED_DATA)
    throw new DerError('no SignedData');
  const data = readElement(expectTag(content, 0xa0, 'the content').content);
  const fields = readChildren(expectTag(data, Tag.SEQUENCE, 'the SignedData').content);
  const certificates = fields.find(({ tag }) => tag === 0xa0);
  if (certificates === undefined) throw new DerError('it holds no certificates');
  return readChildren(certificates.content).map(({ bytes }) => bytes);
}

function identifyKey(second: DerElement | undefined): DerKind | null {
  if (second?.tag === Tag.SEQUENCE) return 'PKCS#8 key';
  if (second?.tag === Tag.OCTET_STRING) return 'SEC 1 key';
  return second?.tag === Tag.INTEGER ? 'PKCS#1 key' : null;
}

/** A certificate begins with [0] or its serial number, a request with its version, a CRL with that or its algorithm. */
function identifySigned(fields: readonly DerElement[]): DerKind | null {
  const [first, second, third, fourth] = fields;
  if (first?.tag === 0xa0) return 'certificate';
  if (isTime(third) || isTime(fourth)) return 'revocation list';
  if (first?.tag !== Tag.INTEGER || second?.tag !== Tag.SEQUENCE) return null;
  // X.509 v1: serial number, algorithm, issuer, validity, ...; a request: version, subject, key, attributes.
  return fourth?.tag === Tag.SEQUENCE ? 'certificate' : 'request';
}

const isTime = (element: DerElement | undefined): boolean =>
  element?.tag === Tag.UTC_TIME || element?.tag === Tag.GENERALIZED_TIME;

/**
 * The two containers by how they begin: some programs write them in BER, with indefinite lengths, which are not read
 * here, and one that is cut off is better called by its name.
 */
function identifyContainer(bytes: Uint8Array): DerKind | null {
  const length = bytes[1] ?? 0;
  if (bytes[0] !== Tag.SEQUENCE || length > 0x84) return null;
  const start = hex(bytes.subarray(2 + (length > 0x80 ? length - 0x80 : 0)).subarray(0, 11));
  if (start.startsWith('020103')) return 'PKCS#12';
  return start === '06092a864886f70d010702' ? 'PKCS#7' : null;
}
