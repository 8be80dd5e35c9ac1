import { type DerElement, expectTag, readChildren, readElement, readOid, Tag } from './der.ts';

const curves: Readonly<Record<string, string>> = {
  '1.2.840.10045.3.1.7': 'P-256',
  '1.3.132.0.34': 'P-384',
  '1.3.132.0.35': 'P-521',
  '1.3.132.0.10': 'secp256k1',
};

const keys: Readonly<Record<string, string>> = {
  '1.3.101.112': 'Ed25519',
  '1.3.101.113': 'Ed448',
  '2.16.840.1.101.3.4.3.17': 'ML-DSA-44',
  '2.16.840.1.101.3.4.3.18': 'ML-DSA-65',
  '2.16.840.1.101.3.4.3.19': 'ML-DSA-87',
};

const signatures: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.1.2': 'RSA MD2',
  '1.2.840.113549.1.1.4': 'RSA MD5',
  '1.2.840.113549.1.1.5': 'RSA SHA-1',
  '1.3.14.3.2.29': 'RSA SHA-1',
  '1.2.840.113549.1.1.11': 'RSA SHA-256',
  '1.2.840.113549.1.1.12': 'RSA SHA-384',
  '1.2.840.113549.1.1.13': 'RSA SHA-512',
  '1.2.840.113549.1.1.14': 'RSA SHA-224',
  '1.2.840.10040.4.3': 'DSA SHA-1',
  '1.2.840.10045.4.1': 'ECDSA SHA-1',
  '1.2.840.10045.4.3.1': 'ECDSA SHA-224',
  '1.2.840.10045.4.3.2': 'ECDSA SHA-256',
  '1.2.840.10045.4.3.3': 'ECDSA SHA-384',
  '1.2.840.10045.4.3.4': 'ECDSA SHA-512',
  ...keys,
};

const hashes: Readonly<Record<string, string>> = {
  '1.2.840.113549.2.5': 'MD5',
  '1.3.14.3.2.26': 'SHA-1',
  '2.16.840.1.101.3.4.2.1': 'SHA-256',
  '2.16.840.1.101.3.4.2.2': 'SHA-384',
  '2.16.840.1.101.3.4.2.3': 'SHA-512',
  '2.16.840.1.101.3.4.2.4': 'SHA-224',
};

/** `RSA 2048`, `EC P-256`, `Ed25519`, ... from a SubjectPublicKeyInfo; the dotted OID of what is not in the tables. */
export function readKeyAlgorithm(spki: DerElement): string {
  const [algorithm, key] = readChildren(expectTag(spki, Tag.SEQUENCE, 'the public key').content);
  const [type, parameters] = readChildren(expectTag(algorithm, Tag.SEQUENCE, 'the key algorithm').content);
  const oid = readOid(expectTag(type, Tag.OID, 'the key algorithm').content);
  const bits = expectTag(key, Tag.BIT_STRING, 'the public key').content.subarray(1);
  if (oid === '1.2.840.113549.1.1.1') return `RSA ${modulusBits(bits)}`;
  if (oid === '1.2.840.113549.1.1.10') return `RSA-PSS ${modulusBits(bits)}`;
  if (oid === '1.2.840.10045.2.1') {
    if (parameters?.tag !== Tag.OID) return 'EC with explicit parameters';
    const curve = readOid(parameters.content);
    return `EC ${curves[curve] ?? curve}`;
  }
  return keys[oid] ?? oid;
}

/** `RSA SHA-256`, `ECDSA SHA-384`, `RSA-PSS SHA-256`, ... from an AlgorithmIdentifier. */
export function readSignatureAlgorithm(algorithm: DerElement): string {
  const [type, parameters] = readChildren(expectTag(algorithm, Tag.SEQUENCE, 'the signature algorithm').content);
  const oid = readOid(expectTag(type, Tag.OID, 'the signature algorithm').content);
  if (oid !== '1.2.840.113549.1.1.10') return signatures[oid] ?? oid;
  // RFC 4055: the hash is [0], and SHA-1 when it is left out.
  const hash = parameters && readChildren(parameters.content).find(({ tag }) => tag === 0xa0);
  if (hash === undefined) return 'RSA-PSS SHA-1';
  const [hashType] = readChildren(readElement(hash.content).content);
  const hashOid = readOid(expectTag(hashType, Tag.OID, 'the hash of RSA-PSS').content);
  return `RSA-PSS ${hashes[hashOid] ?? hashOid}`;
}

function modulusBits(rsaPublicKey: Uint8Array): number {
  const [modulus] = readChildren(readElement(rsaPublicKey).content);
  const bytes = expectTag(modulus, Tag.INTEGER, 'the RSA modulus').content;
  const first = bytes.findIndex((byte) => byte !== 0);
  if (first < 0) return 0;
  return (bytes.length - first) * 8 - (Math.clz32(bytes[first] ?? 0) - 24);
}
