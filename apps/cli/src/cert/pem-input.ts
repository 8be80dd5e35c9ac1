import { writePemBlock } from '@sallyport/trust';
import { usageError } from '../errors.ts';
import { findIn } from './certificate-input.ts';
import { readLocalText } from './local-files.ts';
import type { FoundKey } from './private-key-input.ts';
import { holdsSecret } from './secret-values.ts';

/** The certificates of a file as PEM text: a PEM file as it stands, any other form converted. @throws CliError */
export async function readCertificateText(file: string, passphrase?: string): Promise<string> {
  const text = await readLocalText(file);
  if (/^-----BEGIN CERTIFICATE-----/m.test(text) && !holdsSecret(text)) return text;
  const { certificates } = await findIn(file, passphrase);
  if (certificates.length > 0) return certificates.map(({ pem }) => pem).join('');
  throw usageError(`${file} holds no certificate.`, 'Name the certificate, not its key or its request.');
}

/** A CA bundle as the control plane would be given it: what is PEM is left for it to judge, whatever its blocks are. */
export async function readBundleText(file: string, passphrase?: string): Promise<string> {
  const text = await readLocalText(file);
  return text.includes('-----BEGIN ') && !holdsSecret(text) ? text : await readCertificateText(file, passphrase);
}

/** A signing request as PEM text. @throws CliError */
export async function readRequestText(file: string): Promise<string> {
  const { requests, certificates } = await findIn(file);
  const [request, ...others] = requests;
  if (request !== undefined && others.length === 0) return request.pem;
  const held = certificates.length > 0 ? 'a certificate, and no signing request' : 'no signing request';
  throw usageError(
    `${file} holds ${request === undefined ? held : `${requests.length} signing requests`}.`,
    'Name the .csr file of one delegate: "sallyport cert csr" or "openssl req -new" makes it.',
  );
}

/** The one private key of a file. @throws CliError */
export async function readKey(file: string, passphrase?: string): Promise<FoundKey> {
  const { keys, certificates } = await findIn(file, passphrase);
  const [key, ...others] = keys;
  if (key !== undefined && others.length === 0) return key;
  const inside = certificates.some(({ keyInside }) => keyInside);
  throw usageError(
    `${file} holds ${key === undefined ? 'no private key' : `${keys.length} private keys`}${inside ? ' that can be taken as it is: it is PKCS#12' : ''}.`,
    inside
      ? `Take it out: openssl pkcs12 -in ${file} -nocerts -nodes -out client.key`
      : 'Name the file with the one key that belongs to the certificate.',
  );
}

/** The one private key of a file as PKCS#8 PEM without a passphrase, in whatever form it lies there. @throws CliError */
export async function readKeyText(file: string, passphrase?: string): Promise<string> {
  const { key } = await readKey(file, passphrase);
  if (key === null) {
    throw usageError(
      `The key in ${file} is encrypted.`,
      'Write its passphrase into a file, and give that with --passphrase-file.',
    );
  }
  return writePemBlock('PRIVATE KEY', key.export({ type: 'pkcs8', format: 'der' }));
}
