import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import type { CliError } from '../errors.ts';
import { usageError } from '../errors.ts';

export type KeyForm = 'PKCS#8' | 'PKCS#1' | 'SEC 1';

export interface FoundKey {
  readonly file: string;
  /** Where in the file: "key 2", "tls.key key 1", ... */
  readonly place: string;
  readonly form: KeyForm;
  readonly encoding: 'PEM' | 'DER';
  readonly encrypted: boolean;
  /** Null while it is locked: encrypted, and no passphrase was given. */
  readonly key: KeyObject | null;
  /** The block as it stands in the file; null for DER. */
  readonly pem: string | null;
}

type Place = Pick<FoundKey, 'file' | 'place'>;

const PEM_FORMS: Readonly<Record<string, KeyForm>> = {
  'PRIVATE KEY': 'PKCS#8',
  'ENCRYPTED PRIVATE KEY': 'PKCS#8',
  'RSA PRIVATE KEY': 'PKCS#1',
  'EC PRIVATE KEY': 'SEC 1',
};

/** A key out of a PEM block. Null for a form that OpenSSL does not read. @throws CliError */
export function keyInPem(at: Place, label: string, pem: string, passphrase: string | undefined): FoundKey | null {
  const form = PEM_FORMS[label];
  if (form === undefined) return null;
  const encrypted = label === 'ENCRYPTED PRIVATE KEY' || /^Proc-Type: *4, *ENCRYPTED/m.test(pem);
  const key = opened(at, encrypted, passphrase, () => createPrivateKey({ key: pem, format: 'pem', passphrase }));
  return { ...at, form, encoding: 'PEM', encrypted, key, pem };
}

const DER_TYPES = { 'PKCS#8': 'pkcs8', 'PKCS#1': 'pkcs1', 'SEC 1': 'sec1' } as const;

/** @throws CliError */
export function keyInDer(
  at: Place,
  { form, encrypted }: { readonly form: KeyForm; readonly encrypted: boolean },
  der: Uint8Array,
  passphrase: string | undefined,
): FoundKey {
  const type = DER_TYPES[form];
  const key = opened(at, encrypted, passphrase, () =>
    createPrivateKey({ key: Buffer.from(der), format: 'der', type, passphrase }),
  );
  return { ...at, form, encoding: 'DER', encrypted, key, pem: null };
}

function opened(
  at: Place,
  encrypted: boolean,
  passphrase: string | undefined,
  open: () => KeyObject,
): KeyObject | null {
  if (encrypted && passphrase === undefined) return null;
  try {
    return open();
  } catch (error) {
    throw unopened(at, encrypted, error);
  }
}

/** OpenSSL's own text names its routines, and may be about the inside of the key: it is not shown. */
function unopened({ file, place }: Place, encrypted: boolean, error: unknown): CliError {
  if (!encrypted) {
    return usageError(
      `${file}: ${place} cannot be read as a private key: it is damaged, or of a kind that OpenSSL does not know.`,
      'Use the whole, unchanged file.',
    );
  }
  const reason = error instanceof Error ? error.message : '';
  if (/bad decrypt|bad password/i.test(reason)) {
    return usageError(
      `${file}: the passphrase does not open ${place}.`,
      'Check the first line of the file of --passphrase-file.',
    );
  }
  return usageError(
    `${file}: ${place} cannot be opened: the passphrase is wrong, or it is encrypted in a way that OpenSSL 3 does not open by itself (DES, RC2).`,
    `Check the passphrase; or write the key anew: openssl pkey -provider legacy -provider default -in ${file} -out NEW.key`,
  );
}

const CURVES: Readonly<Record<string, string>> = { prime256v1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521' };

/** `RSA 2048`, `EC P-256`, `Ed25519`, ... as certificates have it. */
export function keyAlgorithmOf(key: KeyObject): string {
  const { modulusLength, namedCurve = '' } = key.asymmetricKeyDetails ?? {};
  const type = key.asymmetricKeyType ?? 'unknown';
  if (type === 'ec') return `EC ${CURVES[namedCurve] ?? namedCurve}`;
  if (type.startsWith('rsa')) return `${type.toUpperCase()} ${modulusLength}`;
  return `${type.slice(0, 1).toUpperCase()}${type.slice(1)}`;
}

/** The SubjectPublicKeyInfo, lower-case hex. */
export const publicKeyOf = (key: KeyObject): string =>
  createPublicKey(key).export({ type: 'spki', format: 'der' }).toString('hex');

export interface KeyFlaw {
  readonly code: 'KEY_ENCRYPTED' | 'KEY_DER' | 'KEY_PKCS1';
  /** True when no delegate can use it. */
  readonly fatal: boolean;
  readonly message: string;
  readonly remedy: string;
}

/** What keeps a delegate from reading this key file. A CA's key may be all of it. */
export function flawsForDelegate({ file, encrypted, encoding, form }: FoundKey): KeyFlaw[] {
  const flaws: KeyFlaw[] = [];
  if (encrypted) {
    const message = `The key in ${file} is encrypted, and a delegate has nobody to ask for the passphrase.`;
    const inform = encoding === 'DER' ? ' -inform DER' : '';
    const remedy = `Take the passphrase off: openssl pkey${inform} -in ${file} -out client.key`;
    flaws.push({ code: 'KEY_ENCRYPTED', fatal: true, message, remedy });
  } else if (encoding === 'DER') {
    const message = `The key in ${file} is DER, and delegates read PEM.`;
    const remedy = `Write it as PEM: openssl pkey -inform DER -in ${file} -out client.key`;
    flaws.push({ code: 'KEY_DER', fatal: true, message, remedy });
  } else if (form === 'PKCS#1') {
    const message = `The key in ${file} is PKCS#1 ("BEGIN RSA PRIVATE KEY"), which the Java delegate can't read.`;
    const remedy = `Write it as PKCS#8: openssl pkcs8 -topk8 -nocrypt -in ${file} -out client.key`;
    flaws.push({ code: 'KEY_PKCS1', fatal: false, message, remedy });
  }
  return flaws;
}
