import { type DerElement, DerError, expectTag, readChildren, readElement, readOid, Tag } from '../der.ts';
import { type Der, integer, nullValue, octetString, oid, sequence } from './der-writer.ts';
import { IssuanceError } from './issuance-error.ts';

const PBES2 = '1.2.840.113549.1.5.13';
const PBKDF2 = '1.2.840.113549.1.5.12';
const HMAC_SHA1 = '1.2.840.113549.2.7';
const HMAC_SHA256 = '1.2.840.113549.2.9';
const AES_256_CBC = '2.16.840.1.101.3.4.1.42';

const prfs: Readonly<Record<string, string>> = {
  [HMAC_SHA1]: 'SHA-1',
  [HMAC_SHA256]: 'SHA-256',
  '1.2.840.113549.2.10': 'SHA-384',
  '1.2.840.113549.2.11': 'SHA-512',
};
const ciphers: Readonly<Record<string, number>> = {
  '2.16.840.1.101.3.4.1.2': 128,
  '2.16.840.1.101.3.4.1.22': 192,
  [AES_256_CBC]: 256,
};

/** What OWASP asks of PBKDF2 with SHA-256: a fifth of a second here, per guess of a thief. */
const ITERATIONS = 600_000;
/** A key file is not always one's own: one that asks for more would hang whoever opens it. */
const MOST_ITERATIONS = 10_000_000;

/** EncryptedPrivateKeyInfo (RFC 5958 3) with PBES2 (RFC 8018 6.2). */
export async function encryptPrivateKey(pkcs8: Der, passphrase: string): Promise<Der> {
  if (passphrase === '')
    throw new IssuanceError('PASSPHRASE_NEEDED', 'The passphrase is empty. Give one, or none at all.');
  const salt = crypto.getRandomValues(new Uint8Array(16));
  const iv = crypto.getRandomValues(new Uint8Array(16));
  const key = await deriveKey(passphrase, { salt, iterations: ITERATIONS, hash: 'SHA-256', bits: 256 });
  const encrypted = new Uint8Array(await crypto.subtle.encrypt({ name: 'AES-CBC', iv }, key, pkcs8));
  const iterations = integer(new Uint8Array(new Uint32Array([ITERATIONS]).buffer).reverse());
  const derivation = sequence(
    oid(PBKDF2),
    sequence(octetString(salt), iterations, sequence(oid(HMAC_SHA256), nullValue())),
  );
  const cipher = sequence(oid(AES_256_CBC), octetString(iv));
  return sequence(sequence(oid(PBES2), sequence(derivation, cipher)), octetString(encrypted));
}

/**
 * The PKCS#8 inside. Reads PBES2 with PBKDF2 and AES-CBC, which is what OpenSSL 3 writes.
 * @throws IssuanceError PASSPHRASE_WRONG; DerError for anything else.
 */
export async function decryptPrivateKey(der: Uint8Array, passphrase: string): Promise<Der> {
  const [scheme, data] = readChildren(expectTag(readElement(der), Tag.SEQUENCE, 'the encrypted key').content);
  const [derivation, cipher] = readChildren(parametersOf(scheme, PBES2, 'PBES2').content);
  const [salt, iterations, ...rest] = readChildren(parametersOf(derivation, PBKDF2, 'PBKDF2').content);
  const [cipherType, iv] = readChildren(expectTag(cipher, Tag.SEQUENCE, 'the cipher').content);
  const bits = ciphers[readOid(expectTag(cipherType, Tag.OID, 'the cipher').content)];
  const hash = prfs[prfOf(rest)];
  if (bits === undefined || hash === undefined) throw new DerError('it is not encrypted with AES-CBC');
  const count = expectTag(iterations, Tag.INTEGER, 'the iteration count').content.reduce(
    (sum, byte) => sum * 256 + byte,
    0,
  );
  if (count > MOST_ITERATIONS) throw new DerError(`it wants ${count} iterations of PBKDF2`);
  const key = await deriveKey(passphrase, {
    salt: Uint8Array.from(expectTag(salt, Tag.OCTET_STRING, 'the salt').content),
    iterations: count,
    hash,
    bits,
  });
  const vector = Uint8Array.from(expectTag(iv, Tag.OCTET_STRING, 'the initialisation vector').content);
  const encrypted = Uint8Array.from(expectTag(data, Tag.OCTET_STRING, 'the encrypted key').content);
  let clear: Der;
  try {
    clear = new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-CBC', iv: vector }, key, encrypted));
    // CBC has no checksum: one wrong passphrase in 256 pads well and gives noise.
    if (readChildren(expectTag(readElement(clear), Tag.SEQUENCE, 'the key').content).length < 3)
      throw new DerError('noise');
  } catch {
    throw new IssuanceError('PASSPHRASE_WRONG', 'The passphrase does not open the private key. Give the right one.');
  }
  return clear;
}

function parametersOf(algorithm: DerElement | undefined, expected: string, name: string): DerElement {
  const [type, parameters] = readChildren(expectTag(algorithm, Tag.SEQUENCE, 'the encryption').content);
  if (readOid(expectTag(type, Tag.OID, 'the encryption').content) !== expected) {
    throw new DerError(`it is not encrypted with ${name}`);
  }
  return expectTag(parameters, Tag.SEQUENCE, `the parameters of ${name}`);
}

/** After the iterations: an optional key length, then the pseudo-random function, SHA-1 when it is left out. */
function prfOf(rest: readonly DerElement[]): string {
  const prf = rest.find(({ tag }) => tag === Tag.SEQUENCE);
  if (prf === undefined) return HMAC_SHA1;
  const [type] = readChildren(prf.content);
  return readOid(expectTag(type, Tag.OID, 'the pseudo-random function').content);
}

async function deriveKey(
  passphrase: string,
  { salt, iterations, hash, bits }: { salt: Der; iterations: number; hash: string; bits: number },
): Promise<CryptoKey> {
  const material = await crypto.subtle.importKey('raw', new TextEncoder().encode(passphrase), 'PBKDF2', false, [
    'deriveKey',
  ]);
  const usages: KeyUsage[] = ['encrypt', 'decrypt'];
  return await crypto.subtle.deriveKey(
    { name: 'PBKDF2', salt, iterations, hash },
    material,
    { name: 'AES-CBC', length: bits },
    false,
    usages,
  );
}
