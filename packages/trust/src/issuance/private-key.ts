import { DerError, readChildren, readElement, Tag } from '../der.ts';
import { type PemBlock, PemError, readPemBlocks, writePemBlock } from '../pem.ts';
import { type Der, nullValue, octetString, oid, sequence, smallInteger } from './der-writer.ts';
import { decryptPrivateKey, encryptPrivateKey } from './encrypted-key.ts';
import { IssuanceError } from './issuance-error.ts';
import { exportPrivateKey, importPrivateKey, type KeyPair } from './signing.ts';

const labels = ['PRIVATE KEY', 'ENCRYPTED PRIVATE KEY', 'RSA PRIVATE KEY', 'EC PRIVATE KEY'];

/** PKCS#8 PEM, encrypted (PBES2: PBKDF2 with SHA-256, AES-256-CBC; OpenSSL reads it) when a passphrase is given. */
export async function writePrivateKey(keys: KeyPair, passphrase?: string): Promise<string> {
  const pkcs8 = await exportPrivateKey(keys.privateKey);
  if (passphrase === undefined) return writePemBlock('PRIVATE KEY', pkcs8);
  return writePemBlock('ENCRYPTED PRIVATE KEY', await encryptPrivateKey(pkcs8, passphrase));
}

/**
 * Reads the one private key of a PEM text: PKCS#8, encrypted PKCS#8, PKCS#1 (`RSA PRIVATE KEY`) or SEC 1 (`EC PRIVATE KEY`).
 * @throws IssuanceError KEY_UNREADABLE, PASSPHRASE_NEEDED or PASSPHRASE_WRONG.
 */
export async function readPrivateKey(pem: string, passphrase?: string): Promise<CryptoKey> {
  const { label, der } = findKey(pem);
  if (der === null) {
    throw new IssuanceError(
      'KEY_UNREADABLE',
      'The private key is damaged, or encrypted in the old way ("Proc-Type: 4,ENCRYPTED"). Write it anew as PKCS#8: openssl pkcs8 -topk8 -in FILE -out NEW.key.',
    );
  }
  try {
    return await importPrivateKey(await toPkcs8(label, der, passphrase));
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    throw new IssuanceError(
      'KEY_UNREADABLE',
      `The private key can't be read: ${error.message}. Use RSA, or EC on P-256 or P-384.`,
    );
  }
}

function findKey(pem: string): PemBlock {
  let blocks: readonly PemBlock[];
  try {
    blocks = readPemBlocks(pem).filter(({ label }) => labels.includes(label));
  } catch (error) {
    if (!(error instanceof PemError)) throw error;
    throw new IssuanceError(
      'KEY_UNREADABLE',
      `The key file is cut off or damaged: ${error.message}. Use the whole file.`,
    );
  }
  const [key] = blocks;
  if (key !== undefined && blocks.length === 1) return key;
  throw new IssuanceError(
    'KEY_UNREADABLE',
    key === undefined
      ? 'The text holds no PEM private key ("-----BEGIN PRIVATE KEY-----"). Give the key file, not the certificate.'
      : `The text holds ${blocks.length} private keys. Leave only the one that belongs to the certificate.`,
  );
}

async function toPkcs8(label: string, der: Der, passphrase: string | undefined): Promise<Der> {
  switch (label) {
    case 'ENCRYPTED PRIVATE KEY':
      if (passphrase === undefined) {
        throw new IssuanceError('PASSPHRASE_NEEDED', 'The private key is encrypted. Give its passphrase.');
      }
      return await decryptPrivateKey(der, passphrase);
    case 'RSA PRIVATE KEY':
      return sequence(smallInteger(0), sequence(oid('1.2.840.113549.1.1.1'), nullValue()), octetString(der));
    case 'EC PRIVATE KEY':
      return sequence(smallInteger(0), sequence(oid('1.2.840.10045.2.1'), curveOf(der)), octetString(der));
    default:
      return der;
  }
}

/** SEC 1 keeps the curve in [0]; PKCS#8 wants it in the algorithm. */
function curveOf(sec1: Der): Uint8Array {
  const parameters = readChildren(readElement(sec1).content).find(({ tag }) => tag === 0xa0);
  const curve = parameters && readElement(parameters.content);
  if (curve?.tag !== Tag.OID) throw new DerError('the EC key does not name its curve');
  return curve.bytes;
}
