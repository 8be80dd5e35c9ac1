import { readKeyAlgorithm, readSignatureAlgorithm } from './algorithms.ts';
import { type AuthorityKeyIdentifier, type CertificateFacts, KEY_USAGES, type KeyUsage } from './certificate-facts.ts';
import { Extension, readCertificateParts, sequenceIn } from './certificate-parts.ts';
import { expectTag, hex, readChildren, readElement, readOid, readTime, Tag } from './der.ts';
import { readName } from './distinguished-name.ts';
import { readGeneralNames } from './general-name.ts';

/** Critical extensions that OpenSSL processes; any other one makes it refuse the certificate. */
const processedExtensions = new Set<string>([
  ...Object.values(Extension),
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
  const parts = readCertificateParts(der);
  const { version } = parts;
  const { values, critical } = parts.extensions;
  const subject = readName(parts.subject);
  const issuer = readName(parts.issuer);
  const serialNumber = readSerial(parts.serialNumber);
  const keyUsage = readKeyUsage(values.get(Extension.KEY_USAGE));
  const constraints = readConstraints(values.get(Extension.BASIC_CONSTRAINTS));
  const subjectKeyId = readSubjectKeyId(values.get(Extension.SUBJECT_KEY_ID));
  const authorityKeyId = readAuthorityKeyId(values.get(Extension.AUTHORITY_KEY_ID));
  const selfSigned =
    hex(parts.subject.bytes) === hex(parts.issuer.bytes) &&
    (authorityKeyId?.keyId == null || subjectKeyId === null || authorityKeyId.keyId === subjectKeyId) &&
    (authorityKeyId?.serialNumber == null || authorityKeyId.serialNumber === serialNumber);
  const sans = values.get(Extension.SUBJECT_ALTERNATIVE_NAME);

  return {
    version,
    subject: subject.text,
    subjectAttributes: subject.attributes,
    issuer: issuer.text,
    issuerAttributes: issuer.attributes,
    serialNumber,
    fingerprint256,
    notBefore: readTime(parts.notBefore),
    notAfter: readTime(parts.notAfter),
    isCa: actsAsIssuer(version, selfSigned, constraints, keyUsage),
    pathLength: constraints?.pathLength ?? null,
    keyUsage,
    purposes: readPurposes(values.get(Extension.EXTENDED_KEY_USAGE)),
    sans: sans === undefined ? [] : readGeneralNames(sequenceIn(sans, 'the subject alternative name')),
    hasNameConstraints: values.has(Extension.NAME_CONSTRAINTS),
    selfSigned,
    keyAlgorithm: readKeyAlgorithm(parts.publicKey),
    signatureAlgorithm: readSignatureAlgorithm(parts.signatureAlgorithm),
    subjectKeyId,
    authorityKeyId,
    publicKey: hex(parts.publicKey.bytes),
    unknownCriticalExtensions: critical.filter((oid) => !processedExtensions.has(oid)),
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

function readSerial(content: Uint8Array): string {
  const serial = hex(content).replace(/^(?:00)+/, '');
  return serial === '' ? '0' : serial.toUpperCase();
}

export function readConstraints(value: Uint8Array | undefined): { isCa: boolean; pathLength: number | null } | null {
  if (value === undefined) return null;
  const parts = readChildren(sequenceIn(value, 'basicConstraints'));
  const isCa = parts[0]?.tag === Tag.BOOLEAN && parts[0].content[0] !== 0;
  const limit = parts.find(({ tag }) => tag === Tag.INTEGER);
  return { isCa, pathLength: limit === undefined ? null : Number.parseInt(hex(limit.content), 16) };
}

export function readKeyUsage(value: Uint8Array | undefined): KeyUsage[] | null {
  if (value === undefined) return null;
  const bits = expectTag(readElement(value), Tag.BIT_STRING, 'keyUsage').content.subarray(1);
  return KEY_USAGES.filter((_, index) => ((bits[index >> 3] ?? 0) & (0x80 >> (index & 7))) !== 0);
}

export function readPurposes(value: Uint8Array | undefined): string[] | null {
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
