import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { DeniedCertificateEntry, DenyCertificateRequest } from '@sallyport/protocol';
import { Command } from 'commander';
import { usageError } from '../errors.ts';
import { example } from '../help.ts';
import { formatTime, orDash } from '../output/format.ts';
import { type Tools, withApi } from '../session.ts';
import { warnOfChange } from './endpoint-show.ts';

const DENIED = '/ng/api/agent/mtls/denied-certificates';

interface AddOptions {
  readonly certificate?: string;
  readonly fingerprint?: string;
  readonly issuer?: string;
  readonly serial?: string;
  readonly note?: string;
}

export function deniedCommand(tools: Tools): Command {
  const denied = new Command('denied').description('certificates that are refused at once, with everything below them');

  example(denied.command('list'), 'sallyport endpoint denied list')
    .description('list the denied certificates')
    .action((_options: object, command: Command) =>
      withApi(tools, command, async ({ api, output, account }) => {
        const query = { accountIdentifier: account() };
        const entries = await api.list<DeniedCertificateEntry>('GET', DENIED, { query });
        output.list(entries, COLUMNS, 'No certificate is denied.');
      }),
    );

  example(denied.command('add'), 'sallyport endpoint denied add --certificate stolen.crt --note "laptop lost"')
    .description('deny a certificate: a file, its fingerprint, or its issuer and serial number')
    .option('--certificate <file>', 'PEM file of the certificate, or of the CA above those that are meant')
    .option('--fingerprint <sha256>', 'its SHA-256 fingerprint')
    .option('--issuer <name>', 'with --serial: name of the CA that issued it, such as "CN=Example CA, O=Example"')
    .option('--serial <hex>', 'with --issuer: its serial number')
    .option('--note <text>', 'why')
    .action((options: AddOptions, command: Command) =>
      withApi(tools, command, async (session) => {
        const body = await requestOf(options);
        const query = { accountIdentifier: session.account() };
        const { resource, metaData } = await session.api.call<DeniedCertificateEntry>('POST', DENIED, { query, body });
        session.output.result(resource, () => session.output.table(COLUMNS, [resource]));
        warnOfChange(session, metaData);
      }),
    );

  example(denied.command('remove'), 'sallyport endpoint denied remove 0b4e5c1e-8f1d-4d47-9d0c-2f6a1c3f9b10')
    .description('deny a certificate no longer')
    .argument('<certificate>', 'uuid of the entry or fingerprint, as "denied list" shows them')
    .action((certificate: string, _options: object, command: Command) =>
      withApi(tools, command, async ({ api, output, account }) => {
        const query = { accountIdentifier: account() };
        const { resource } = await api.call<boolean>('DELETE', `${DENIED}/${encodeURIComponent(certificate)}`, {
          query,
        });
        output.result(resource, () => `Certificate "${certificate}" is no longer denied.\n`);
      }),
    );

  return denied;
}

const COLUMNS = [
  { title: 'SINCE', value: (row: DeniedCertificateEntry) => formatTime(row.createdAt) },
  { title: 'FINGERPRINT', value: (row: DeniedCertificateEntry) => orDash(row.fingerprint) },
  { title: 'ISSUER', value: (row: DeniedCertificateEntry) => orDash(row.issuer) },
  { title: 'SERIAL', value: (row: DeniedCertificateEntry) => orDash(row.serialNumber) },
  { title: 'NOTE', value: (row: DeniedCertificateEntry) => orDash(row.note) },
  { title: 'UUID', value: (row: DeniedCertificateEntry) => row.uuid },
];

async function requestOf({
  certificate,
  fingerprint,
  issuer,
  serial,
  note,
}: AddOptions): Promise<DenyCertificateRequest> {
  const ways = [certificate, fingerprint, issuer ?? serial].filter((way) => way !== undefined).length;
  if (ways !== 1 || (issuer === undefined) !== (serial === undefined)) {
    throw usageError(
      ways === 0 ? 'No certificate is named.' : 'The certificate is not named in one way.',
      'Give --certificate, or --fingerprint, or --issuer and --serial together.',
    );
  }
  return {
    ...(note !== undefined && { note }),
    ...(certificate !== undefined && { fingerprint: await fingerprintOf(certificate) }),
    ...(fingerprint !== undefined && { fingerprint }),
    ...(issuer !== undefined && { issuer }),
    ...(serial !== undefined && { serialNumber: serial }),
  };
}

/** Of the first certificate in a file. Only this leaves the machine. */
async function fingerprintOf(file: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw usageError(`The file ${file} cannot be read.`, 'Check the path and its permissions.', String(error));
  }
  try {
    return new X509Certificate(text).fingerprint256;
  } catch {
    throw usageError(
      `The file ${file} holds no PEM certificate.`,
      'Give the certificate that is to be denied, client.crt.',
    );
  }
}
