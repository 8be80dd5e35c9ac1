import { DerError, expectTag, readChildren, readElement, readOid, Tag } from '../der.ts';
import { type Der, element, integer, nullValue, oid, sequence } from './der-writer.ts';

/** What a new key may be. Java's loader of the classic delegate reads RSA only. */
export type KeyAlgorithm = 'RSA 2048' | 'RSA 3072' | 'RSA 4096' | 'EC P-256' | 'EC P-384';

const SHA256_WITH_RSA = '1.2.840.113549.1.1.11';
const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2';
const ECDSA_WITH_SHA384 = '1.2.840.10045.4.3.3';
const RSA_ENCRYPTION = '1.2.840.113549.1.1.1';
const EC_PUBLIC_KEY = '1.2.840.10045.2.1';
const curveNames: Readonly<Record<string, 'P-256' | 'P-384'>> = {
  '1.2.840.10045.3.1.7': 'P-256',
  '1.3.132.0.34': 'P-384',
};

export interface KeyPair {
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
}

/** A new key pair, extractable, from the platform's WebCrypto. RSA 4096 can take seconds. */
export async function generateKeyPair(algorithm: KeyAlgorithm): Promise<KeyPair> {
  const [family, size = ''] = algorithm.split(' ');
  return await crypto.subtle.generateKey(
    family === 'EC'
      ? { name: 'ECDSA', namedCurve: size }
      : {
          name: 'RSASSA-PKCS1-v1_5',
          hash: 'SHA-256',
          modulusLength: Number(size),
          publicExponent: Uint8Array.of(1, 0, 1),
        },
    true,
    ['sign', 'verify'],
  );
}

/** Signs as `SIGNED{}` of X.509: the body, the algorithm, the signature. The algorithm follows from the key. */
export async function signed(body: (algorithm: Der) => Der, key: CryptoKey): Promise<Der> {
  const algorithm = signatureAlgorithmOf(key);
  const content = body(algorithm);
  const signature = new Uint8Array(await crypto.subtle.sign(webCryptoParameters(key), key, content));
  const encoded = key.algorithm.name === 'ECDSA' ? ecdsaToDer(signature) : signature;
  return sequence(content, algorithm, element(Tag.BIT_STRING, Uint8Array.of(0), encoded));
}

/**
 * Verifies the signature of a `SIGNED{}` by the given SubjectPublicKeyInfo: RSA with SHA-256 to SHA-512 and ECDSA on P-256
 * and P-384, which is what we sign. False for a wrong signature.
 * @throws DerError for anything else.
 */
export async function verifySigned(der: Uint8Array, publicKeyInfo: Uint8Array): Promise<boolean> {
  const [body, algorithm, bits] = readChildren(expectTag(readElement(der), Tag.SEQUENCE, 'the signed object').content);
  const [type] = readChildren(expectTag(algorithm, Tag.SEQUENCE, 'the signature algorithm').content);
  const signatureType = readOid(expectTag(type, Tag.OID, 'the signature algorithm').content);
  const signature = Uint8Array.from(expectTag(bits, Tag.BIT_STRING, 'the signature').content.subarray(1));
  const hash = signatureHashes[signatureType];
  if (body === undefined || hash === undefined)
    throw new DerError(`the signature algorithm ${signatureType} is not known`);
  const key = await importPublicKey(publicKeyInfo, hash);
  if ((key.algorithm.name === 'ECDSA') !== signatureType.startsWith('1.2.840.10045.')) return false;
  const content = Uint8Array.from(body.bytes);
  if (key.algorithm.name !== 'ECDSA') return await crypto.subtle.verify(key.algorithm.name, key, signature, content);
  const raw = ecdsaFromDer(signature, curveOf(key) === 'P-256' ? 32 : 48);
  return raw !== null && (await crypto.subtle.verify({ name: 'ECDSA', hash }, key, raw, content));
}

const signatureHashes: Readonly<Record<string, string>> = {
  [SHA256_WITH_RSA]: 'SHA-256',
  '1.2.840.113549.1.1.12': 'SHA-384',
  '1.2.840.113549.1.1.13': 'SHA-512',
  [ECDSA_WITH_SHA256]: 'SHA-256',
  [ECDSA_WITH_SHA384]: 'SHA-384',
  '1.2.840.10045.4.3.4': 'SHA-512',
};

export async function exportPublicKey(key: CryptoKey): Promise<Der> {
  return new Uint8Array(await crypto.subtle.exportKey('spki', key));
}

export async function exportPrivateKey(key: CryptoKey): Promise<Der> {
  return new Uint8Array(await crypto.subtle.exportKey('pkcs8', key));
}

/** Imports an RSA or an EC P-256/P-384 key, unencrypted PKCS#8. @throws DerError for any other. */
export async function importPrivateKey(pkcs8: Der): Promise<CryptoKey> {
  const [, algorithm] = readChildren(expectTag(readElement(pkcs8), Tag.SEQUENCE, 'the private key').content);
  const parameters = importParameters(expectTag(algorithm, Tag.SEQUENCE, 'the key algorithm').content, 'SHA-256');
  try {
    return await crypto.subtle.importKey('pkcs8', pkcs8, parameters, true, ['sign']);
  } catch {
    throw new DerError('the private key is damaged'); // WebCrypto's own error says no more
  }
}

export async function importPublicKey(publicKeyInfo: Uint8Array, hash = 'SHA-256'): Promise<CryptoKey> {
  const [algorithm] = readChildren(expectTag(readElement(publicKeyInfo), Tag.SEQUENCE, 'the public key').content);
  const parameters = importParameters(expectTag(algorithm, Tag.SEQUENCE, 'the key algorithm').content, hash);
  try {
    return await crypto.subtle.importKey('spki', Uint8Array.from(publicKeyInfo), parameters, true, ['verify']);
  } catch {
    throw new DerError('the public key is damaged');
  }
}

function importParameters(algorithm: Uint8Array, hash: string): RsaHashedImportParams | EcKeyImportParams {
  const [type, parameters] = readChildren(algorithm);
  const family = readOid(expectTag(type, Tag.OID, 'the key algorithm').content);
  if (family === RSA_ENCRYPTION) return { name: 'RSASSA-PKCS1-v1_5', hash };
  const curve = family === EC_PUBLIC_KEY && parameters?.tag === Tag.OID ? readOid(parameters.content) : '';
  const namedCurve = curveNames[curve];
  if (namedCurve === undefined) throw new DerError('the key is neither RSA nor EC on P-256 or P-384');
  return { name: 'ECDSA', namedCurve };
}

function signatureAlgorithmOf(key: CryptoKey): Der {
  if (key.algorithm.name !== 'ECDSA') return sequence(oid(SHA256_WITH_RSA), nullValue());
  return sequence(oid(curveOf(key) === 'P-256' ? ECDSA_WITH_SHA256 : ECDSA_WITH_SHA384));
}

function webCryptoParameters(key: CryptoKey): Algorithm | EcdsaParams {
  if (key.algorithm.name !== 'ECDSA') return { name: key.algorithm.name };
  return { name: 'ECDSA', hash: curveOf(key) === 'P-256' ? 'SHA-256' : 'SHA-384' };
}

function curveOf(key: CryptoKey): string {
  return 'namedCurve' in key.algorithm ? String(key.algorithm.namedCurve) : '';
}

/** WebCrypto writes r and s side by side, X.509 as a SEQUENCE of two integers. */
function ecdsaToDer(raw: Uint8Array): Der {
  const half = raw.length / 2;
  return sequence(integer(raw.subarray(0, half)), integer(raw.subarray(half)));
}

function ecdsaFromDer(der: Uint8Array, size: number): Der | null {
  const numbers = readChildren(expectTag(readElement(der), Tag.SEQUENCE, 'the ECDSA signature').content);
  const raw = new Uint8Array(size * 2);
  for (const [index, number] of numbers.entries()) {
    const magnitude = number.content.subarray(number.content.findIndex((byte) => byte !== 0));
    if (index > 1 || magnitude.length > size) return null;
    raw.set(magnitude, (index + 1) * size - magnitude.length);
  }
  return raw;
}
