import { readKeyAlgorithm, readSignatureAlgorithm } from './algorithms.ts';
import { type AuthorityKeyIdentifier, type CertificateFacts, KEY_USAGES, type KeyUsage } from './certificate-facts.ts';
import { type DerElement, DerError, expectTag, hex, readChildren, readElement, readOid, readTime, Tag } from './der.ts';
import { readName } from './distinguished-name.ts';
import { readGeneralNames } from './general-name.ts';

const Extension = {
  SUBJECT_KEY_ID: '2.5.29.14',
  KEY_USAGE: '2.5.29.15',
  SUBJECT_ALTERNATIVE_NAME: '2.5.29.17',
  BASIC_CONSTRAINTS: '2.5.29.19',
  AUTHORITY_KEY_ID: '2.5.29.35',
  EXTENDED_KEY_USAGE: '2.5.29.37',
} as const;

/** Critical extensions that OpenSSL processes; any other one makes it refuse the certificate. */
const processedExtensions = new Set<string>([
  ...Object.values(Extension),
  '2.5.29.30', // nameConstraints
  '2.5.29.31', // cRLDistributionPoints
  '2.5.29.32', // certificatePolicies
  '2.5.29.33', // policyMappings
  '2.5.29.36', // policyConstraints
  '2.5.29.54', // inhibitAnyPolicy
  '2.16.840.1.113730.1.1', // Netscape certificate type
  '1.3.6.1.5.5.7.1.14', // proxyCertInfo
]);

/**
 * Reads a certificate (RFC 5280 4.1) from its DER. Everything that belongs to one certificate, nothing about trust.
 * `fingerprint256` is the SHA-256 of the same bytes, lower-case hex, from whoever has a digest at hand.
 * @throws DerError when the bytes are not one DER certificate.
 */
export function readCertificate(der: Uint8Array, fingerprint256: string): CertificateFacts {
  const certificate = expectTag(readElement(der), Tag.SEQUENCE, 'the certificate');
  if (certificate.bytes.length !== der.length) throw new DerError('bytes follow the certificate');
  const [tbs, signatureAlgorithm, signature] = readChildren(certificate.content);
  expectTag(signature, Tag.BIT_STRING, 'the signature');
  const fields = readChildren(expectTag(tbs, Tag.SEQUENCE, 'the certificate body').content);
  const version = fields[0]?.tag === 0xa0 ? readVersion(fields.shift()) : 1;
  const [serial, , issuerName, validity, subjectName, publicKey, ...optional] = fields;
  const [notBefore, notAfter] = readChildren(expectTag(validity, Tag.SEQUENCE, 'the validity').content);
  if (notBefore === undefined || notAfter === undefined) throw new DerError('the validity is incomplete');
  const subjectElement = expectTag(subjectName, Tag.SEQUENCE, 'the subject');
  const issuerElement = expectTag(issuerName, Tag.SEQUENCE, 'the issuer');
  const keyElement = expectTag(publicKey, Tag.SEQUENCE, 'the public key');
  const subject = readName(subjectElement);
  const issuer = readName(issuerElement);
  const extensions = readExtensions(optional.find(({ tag }) => tag === 0xa3));

  const serialNumber = readSerial(expectTag(serial, Tag.INTEGER, 'the serial number').content);
  const keyUsage = readKeyUsage(extensions.values.get(Extension.KEY_USAGE));
  const constraints = readBasicConstraints(extensions.values.get(Extension.BASIC_CONSTRAINTS));
  const subjectKeyId = readSubjectKeyId(extensions.values.get(Extension.SUBJECT_KEY_ID));
  const authorityKeyId = readAuthorityKeyId(extensions.values.get(Extension.AUTHORITY_KEY_ID));
  const sameName = hex(subjectElement.bytes) === hex(issuerElement.bytes);
  const selfSigned =
    sameName &&
    (authorityKeyId?.keyId == null || subjectKeyId === null || authorityKeyId.keyId === subjectKeyId) &&
    (authorityKeyId?.serialNumber == null || authorityKeyId.serialNumber === serialNumber);
  const sans = extensions.values.get(Extension.SUBJECT_ALTERNATIVE_NAME);

  return {
    version,
    subject: subject.text,
    subjectAttributes: subject.attributes,
    issuer: issuer.text,
    issuerAttributes: issuer.attributes,
    serialNumber,
    fingerprint256,
    notBefore: readTime(notBefore),
    notAfter: readTime(notAfter),
    isCa: actsAsIssuer(version, selfSigned, constraints, keyUsage),
    pathLength: constraints?.pathLength ?? null,
    keyUsage,
    purposes: readPurposes(extensions.values.get(Extension.EXTENDED_KEY_USAGE)),
    sans: sans === undefined ? [] : readGeneralNames(sequenceIn(sans, 'the subject alternative name')),
    selfSigned,
    keyAlgorithm: readKeyAlgorithm(keyElement),
    signatureAlgorithm: readSignatureAlgorithm(expectTag(signatureAlgorithm, Tag.SEQUENCE, 'the signature algorithm')),
    subjectKeyId,
    authorityKeyId,
    publicKey: hex(keyElement.bytes),
    unknownCriticalExtensions: extensions.critical.filter((oid) => !processedExtensions.has(oid)),
    malformed: null,
  };
}

/** What OpenSSL's X509_check_ca() answers: keyUsage must not forbid it, then basicConstraints decides when present. */
function actsAsIssuer(
  version: number,
  selfSigned: boolean,
  constraints: { readonly isCa: boolean } | null,
  keyUsage: readonly KeyUsage[] | null,
): boolean {
  if (keyUsage !== null && !keyUsage.includes('keyCertSign')) return false;
  if (constraints !== null) return constraints.isCa;
  return (version === 1 && selfSigned) || keyUsage !== null;
}

function readVersion(element: DerElement | undefined): number {
  const [version] = readChildren(expectTag(element, 0xa0, 'the version').content);
  return (expectTag(version, Tag.INTEGER, 'the version').content[0] ?? 0) + 1;
}

function readSerial(content: Uint8Array): string {
  const serial = hex(content).replace(/^(?:00)+/, '');
  return serial === '' ? '0' : serial.toUpperCase();
}

function readExtensions(element: DerElement | undefined): {
  readonly values: ReadonlyMap<string, Uint8Array>;
  readonly critical: readonly string[];
} {
  const values = new Map<string, Uint8Array>();
  const critical: string[] = [];
  if (element === undefined) return { values, critical };
  for (const extension of readChildren(sequenceIn(element.content, 'the extensions'))) {
    const [id, ...rest] = readChildren(expectTag(extension, Tag.SEQUENCE, 'an extension').content);
    const oid = readOid(expectTag(id, Tag.OID, 'the id of an extension').content);
    if (values.has(oid)) throw new DerError(`the extension ${oid} occurs twice`);
    if (rest.length > 1 && rest[0]?.tag === Tag.BOOLEAN && rest[0].content[0] !== 0) critical.push(oid);
    values.set(oid, expectTag(rest.at(-1), Tag.OCTET_STRING, `the value of the extension ${oid}`).content);
  }
  return { values, critical };
}

function sequenceIn(content: Uint8Array, what: string): Uint8Array {
  return expectTag(readElement(content), Tag.SEQUENCE, what).content;
}

function readBasicConstraints(value: Uint8Array | undefined): { isCa: boolean; pathLength: number | null } | null {
  if (value === undefined) return null;
  const parts = readChildren(sequenceIn(value, 'basicConstraints'));
  const isCa = parts[0]?.tag === Tag.BOOLEAN && parts[0].content[0] !== 0;
  const limit = parts.find(({ tag }) => tag === Tag.INTEGER);
  return { isCa, pathLength: limit === undefined ? null : Number.parseInt(hex(limit.content), 16) };
}

function readKeyUsage(value: Uint8Array | undefined): KeyUsage[] | null {
  if (value === undefined) return null;
  const bits = expectTag(readElement(value), Tag.BIT_STRING, 'keyUsage').content.subarray(1);
  return KEY_USAGES.filter((_, index) => ((bits[index >> 3] ?? 0) & (0x80 >> (index & 7))) !== 0);
}

function readPurposes(value: Uint8Array | undefined): string[] | null {
  if (value === undefined) return null;
  return readChildren(sequenceIn(value, 'extKeyUsage')).map((oid) =>
    readOid(expectTag(oid, Tag.OID, 'a purpose').content),
  );
}

function readSubjectKeyId(value: Uint8Array | undefined): string | null {
  return value === undefined
    ? null
    : hex(expectTag(readElement(value), Tag.OCTET_STRING, 'subjectKeyIdentifier').content);
}

function readAuthorityKeyId(value: Uint8Array | undefined): AuthorityKeyIdentifier | null {
  if (value === undefined) return null;
  const parts = readChildren(sequenceIn(value, 'authorityKeyIdentifier'));
  const keyId = parts.find(({ tag }) => tag === 0x80);
  const issuer = parts.find(({ tag }) => tag === 0xa1);
  const serial = parts.find(({ tag }) => tag === 0x82);
  const names = issuer === undefined ? [] : readGeneralNames(issuer.content);
  return {
    keyId: keyId === undefined ? null : hex(keyId.content),
    issuerNames: names.filter(({ type }) => type === 'directory').map(({ value: name }) => name),
    serialNumber: serial === undefined ? null : readSerial(serial.content),
  };
}
