import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { IssuingAuthority, KeyAlgorithm, SubjectInput } from '@sallyport/trust';
import { type Command, Option } from 'commander';
import type { GlobalOptions } from '../connection.ts';
import { usageError } from '../errors.ts';
import { integerOption, oneOf, required } from '../options.ts';
import { findIn } from './certificate-input.ts';
import { readLocalText } from './local-files.ts';
import { readKeyText } from './pem-input.ts';

const KEY_ALGORITHMS = {
  'rsa-2048': 'RSA 2048',
  'rsa-3072': 'RSA 3072',
  'rsa-4096': 'RSA 4096',
  'ec-p256': 'EC P-256',
  'ec-p384': 'EC P-384',
} as const satisfies Record<string, KeyAlgorithm>;

const MOST_DAYS = 36_500;

export const keyTypeOption = (standard = 'rsa-2048'): Option =>
  new Option('--key-type <type>', `key to make (${standard} when not given; the Java delegate reads RSA only)`)
    .choices(Object.keys(KEY_ALGORITHMS))
    .argParser(oneOf<KeyAlgorithm>(KEY_ALGORITHMS));

export const daysOption = (standard: number): Option =>
  integerOption('--days <days>', `days of validity (${standard} when not given)`, 1, MOST_DAYS);

export const forceOption = (): Option => new Option('--force', 'replace files that exist');

export const passphraseOption = (): Option =>
  new Option('--passphrase-file <file>', "file whose first line is the passphrase of the CA's key");

export const caPassphraseOption = (): Option =>
  new Option(
    '--passphrase-file <file>',
    "file whose first line is the passphrase of the CA's key, and of a PKCS#12 file",
  );

export const inputPassphraseOption = (): Option =>
  new Option('--passphrase-file <file>', 'file whose first line is the passphrase of the PKCS#12 file or the key');

export const caKeyOption = (): Option => new Option('--ca-key <file>', 'key of the CA (ca.key when not given)');

export const nameOption = (): Option =>
  required(new Option('--name <name>', "the delegate's name: common name and subject alternative name"));

export const organizationOption = (): Option => new Option('--organization <name>', 'organization in the subject');

export interface AuthorityOptions {
  readonly caKey?: string;
  readonly passphraseFile?: string;
}

/** The files of the CA that a command reads, by the names that it was given or has by itself. */
export function authorityFiles(options: AuthorityOptions, command: Command): string[] {
  const { ca = 'ca.crt' } = command.optsWithGlobals<GlobalOptions>();
  const { caKey = 'ca.key', passphraseFile } = options;
  return [ca, caKey, ...(passphraseFile === undefined ? [] : [passphraseFile])];
}

/** The CA of --ca and --ca-key, in whatever form they lie there. Throws a usage error that names the file which cannot be read. */
export async function readAuthority(options: AuthorityOptions, command: Command): Promise<IssuingAuthority> {
  const { ca = 'ca.crt' } = command.optsWithGlobals<GlobalOptions>();
  const keyFile = options.caKey ?? 'ca.key';
  const { passphrase } = await passphraseOf(options);
  const { certificates } = await findIn(ca, passphrase);
  const [first] = certificates;
  if (first === undefined) throw usageError(`${ca} holds no certificate.`, 'Name the certificate of the CA with --ca.');
  const privateKeyPem = await readKeyText(keyFile, passphrase);
  const key = createPrivateKey(privateKeyPem);
  // A bundle may hold the root as well: the one that signs is the one of the key.
  const own = certificates.find(({ pem }) => new X509Certificate(pem).checkPrivateKey(key));
  return { certificatePem: (own ?? first).pem, privateKeyPem };
}

export async function passphraseOf({
  passphraseFile,
}: Pick<AuthorityOptions, 'passphraseFile'>): Promise<{ passphrase?: string }> {
  if (passphraseFile === undefined) return {};
  const [passphrase = ''] = (await readLocalText(passphraseFile)).split(/\r?\n/);
  return { passphrase };
}

export const subjectOf = (organization: string | undefined): Omit<SubjectInput, 'commonName'> =>
  organization === undefined ? {} : { organization };
