import { type DerElement, DerError, expectTag, readChildren, readElement, readOid, Tag } from './der.ts';

export const Extension = {
  SUBJECT_KEY_ID: '2.5.29.14',
  KEY_USAGE: '2.5.29.15',
  SUBJECT_ALTERNATIVE_NAME: '2.5.29.17',
  BASIC_CONSTRAINTS: '2.5.29.19',
  NAME_CONSTRAINTS: '2.5.29.30',
  AUTHORITY_KEY_ID: '2.5.29.35',
  EXTENDED_KEY_USAGE: '2.5.29.37',
} as const;

/** The elements of a certificate (RFC 5280 4.1) as they stand in its DER. */
export interface CertificateParts {
  readonly version: number;
  readonly serialNumber: Uint8Array;
  readonly issuer: DerElement;
  readonly notBefore: DerElement;
  readonly notAfter: DerElement;
  readonly subject: DerElement;
  readonly publicKey: DerElement;
  readonly signatureAlgorithm: DerElement;
  readonly extensions: Extensions;
}

export interface Extensions {
  /** By OID, what the OCTET STRING of the extension holds. */
  readonly values: ReadonlyMap<string, Uint8Array>;
  readonly critical: readonly string[];
}

/** @throws DerError when the bytes are not one DER certificate. */
export function readCertificateParts(der: Uint8Array): CertificateParts {
  const certificate = expectTag(readElement(der), Tag.SEQUENCE, 'the certificate');
  if (certificate.bytes.length !== der.length) throw new DerError('bytes follow the certificate');
  const [tbs, signatureAlgorithm, signature] = readChildren(certificate.content);
  expectTag(signature, Tag.BIT_STRING, 'the signature');
  const fields = readChildren(expectTag(tbs, Tag.SEQUENCE, 'the certificate body').content);
  const version = fields[0]?.tag === 0xa0 ? readVersion(fields.shift()) : 1;
  const [serial, , issuer, validity, subject, publicKey, ...optional] = fields;
  const [notBefore, notAfter] = readChildren(expectTag(validity, Tag.SEQUENCE, 'the validity').content);
  if (notBefore === undefined || notAfter === undefined) throw new DerError('the validity is incomplete');
  const extensions = optional.find(({ tag }) => tag === 0xa3);
  return {
    version,
    serialNumber: expectTag(serial, Tag.INTEGER, 'the serial number').content,
    issuer: expectTag(issuer, Tag.SEQUENCE, 'the issuer'),
    notBefore,
    notAfter,
    subject: expectTag(subject, Tag.SEQUENCE, 'the subject'),
    publicKey: expectTag(publicKey, Tag.SEQUENCE, 'the public key'),
    signatureAlgorithm: expectTag(signatureAlgorithm, Tag.SEQUENCE, 'the signature algorithm'),
    extensions: extensions === undefined ? { values: new Map(), critical: [] } : readExtensions(extensions.content),
  };
}

/** Extensions ::= SEQUENCE OF Extension; each may occur once. */
export function readExtensions(der: Uint8Array): Extensions {
  const values = new Map<string, Uint8Array>();
  const critical: string[] = [];
  for (const extension of readChildren(sequenceIn(der, 'the extensions'))) {
    const [id, ...rest] = readChildren(expectTag(extension, Tag.SEQUENCE, 'an extension').content);
    const oid = readOid(expectTag(id, Tag.OID, 'the id of an extension').content);
    if (values.has(oid)) throw new DerError(`the extension ${oid} occurs twice`);
    if (rest.length > 1 && rest[0]?.tag === Tag.BOOLEAN && rest[0].content[0] !== 0) critical.push(oid);
    values.set(oid, expectTag(rest.at(-1), Tag.OCTET_STRING, `the value of the extension ${oid}`).content);
  }
  return { values, critical };
}

/** The content of the SEQUENCE that `der` holds. */
export function sequenceIn(der: Uint8Array, what: string): Uint8Array {
  return expectTag(readElement(der), Tag.SEQUENCE, what).content;
}

function readVersion(element: DerElement | undefined): number {
  const [version] = readChildren(expectTag(element, 0xa0, 'the version').content);
  return (expectTag(version, Tag.INTEGER, 'the version').content[0] ?? 0) + 1;
}
