import {
  type CertificateFacts,
  createAuthority,
  createSigningRequest,
  DEFAULT_CLIENT_DAYS,
  IssuanceError,
  type IssuedCertificate,
  issueClientCertificate,
  type KeyAlgorithm,
  renew,
  signRequest,
} from '@sallyport/trust';
import { Command, Option } from 'commander';
import { findIn } from '../cert/certificate-input.ts';
import {
  type AuthorityOptions,
  authorityFiles,
  caKeyOption,
  caPassphraseOption,
  daysOption,
  forceOption,
  keyTypeOption,
  nameOption,
  organizationOption,
  passphraseOf,
  passphraseOption,
  readAuthority,
  subjectOf,
} from '../cert/certificate-options.ts';
import { type NewFile, refuseExisting, refuseReplacingInputs, writeLocalFiles } from '../cert/local-files.ts';
import { readCertificateText, readKey, readKeyText, readRequestText } from '../cert/pem-input.ts';
import { flawsForDelegate } from '../cert/private-key-input.ts';
import { usageError } from '../errors.ts';
import { example } from '../help.ts';
import { required } from '../options.ts';
import { formatTime } from '../output/format.ts';
import { outputOf, type Tools } from '../session.ts';
import { addReadingCommands } from './cert-reading.ts';
import { addSecretCommand } from './cert-secret.ts';

const CA_DAYS = 3650;

interface MakingOptions extends AuthorityOptions {
  readonly name: string;
  readonly organization?: string;
  readonly keyType?: KeyAlgorithm;
  readonly days?: number;
  readonly out?: string;
  readonly force?: boolean;
}

/** Everything here runs on this machine: no command of this noun sends anything anywhere. */
export function certCommand(tools: Tools): Command {
  const cert = new Command('cert').description('certificates made and examined on this machine; no key leaves it');

  example(cert.command('ca'), 'sallyport cert ca --name "Acme delegates CA" --organization Acme')
    .description('make a CA: NAME.crt for the endpoint, NAME.key to be kept safe')
    .addOption(required(new Option('--name <name>', 'common name of the CA')))
    .addOption(organizationOption())
    .addOption(keyTypeOption())
    .addOption(daysOption(CA_DAYS))
    .addOption(passphraseOption())
    .option('--out <prefix>', 'write PREFIX.crt and PREFIX.key (ca when not given)')
    .addOption(forceOption())
    .action(async (options: MakingOptions, command: Command) => {
      const { certificate, key } = pairAt(options.out ?? 'ca');
      await refuseReplacingInputs([certificate, key], given(options.passphraseFile));
      await make(tools, command, options, [certificate, key], async () => {
        const issued = await createAuthority({
          subject: { ...subjectOf(options.organization), commonName: options.name },
          ...(options.keyType !== undefined && { keyAlgorithm: options.keyType }),
          days: options.days ?? CA_DAYS,
          now: new Date(tools.now()),
          ...(await passphraseOf(options)),
        });
        return [publicFile(certificate, issued.certificatePem), secretFile(key, issued.privateKeyPem)];
      });
    });

  example(cert.command('client'), 'sallyport cert client --name edge-1 --ca ca.crt --ca-key ca.key')
    .description(
      'make a key and a client certificate for one delegate, signed by the CA of --ca (ca.crt when not given)',
    )
    .addOption(nameOption())
    .addOption(organizationOption())
    .addOption(keyTypeOption())
    .addOption(daysOption(DEFAULT_CLIENT_DAYS))
    .addOption(caKeyOption())
    .addOption(caPassphraseOption())
    .option('--out <prefix>', 'write PREFIX.crt and PREFIX.key (client when not given)')
    .addOption(forceOption())
    .action(async (options: MakingOptions, command: Command) => {
      const { certificate, key } = pairAt(options.out ?? 'client');
      await refuseReplacingInputs([certificate, key], authorityFiles(options, command));
      await make(tools, command, options, [certificate, key], async () => {
        const issued = await issueClientCertificate({
          authority: await readAuthority(options, command),
          name: options.name,
          subject: subjectOf(options.organization),
          ...(options.keyType !== undefined && { keyAlgorithm: options.keyType }),
          days: options.days ?? DEFAULT_CLIENT_DAYS,
          now: new Date(tools.now()),
        });
        warnOfEcKey(tools, command, issued.facts.keyAlgorithm);
        warnOfEarlyEnd(tools, command, issued, options.days);
        return [publicFile(certificate, issued.certificatePem), secretFile(key, issued.privateKeyPem)];
      });
    });

  example(cert.command('csr'), 'sallyport cert csr --name edge-1')
    .description('make a key and a signing request for a CA that lives elsewhere')
    .addOption(nameOption())
    .addOption(organizationOption())
    .addOption(keyTypeOption())
    .option('--out <prefix>', 'write PREFIX.csr and PREFIX.key (client when not given)')
    .addOption(forceOption())
    .action(async (options: MakingOptions, command: Command) => {
      const prefix = options.out ?? 'client';
      await make(tools, command, options, [`${prefix}.csr`, `${prefix}.key`], async () => {
        const request = await createSigningRequest({
          name: options.name,
          subject: subjectOf(options.organization),
          ...(options.keyType !== undefined && { keyAlgorithm: options.keyType }),
        });
        warnOfEcKey(tools, command, options.keyType ?? '');
        return [publicFile(`${prefix}.csr`, request.requestPem), secretFile(`${prefix}.key`, request.privateKeyPem)];
      });
    });

  example(cert.command('sign'), 'sallyport cert sign client.csr --ca ca.crt --ca-key ca.key')
    .description(
      'sign a request as a client certificate: its subject, key and names, and nothing else that it asks for',
    )
    .argument('<csr>', 'file with the request')
    .addOption(daysOption(DEFAULT_CLIENT_DAYS))
    .addOption(caKeyOption())
    .addOption(caPassphraseOption())
    .option('--out <file>', 'certificate to write (client.crt when not given)')
    .addOption(forceOption())
    .action(async (csr: string, options: MakingOptions, command: Command) => {
      const out = options.out ?? 'client.crt';
      await refuseReplacingInputs([out], [...authorityFiles(options, command), csr]);
      await make(tools, command, options, [out], async () => {
        const signed = await signRequest({
          authority: await readAuthority(options, command),
          requestPem: await readRequestText(csr),
          days: options.days ?? DEFAULT_CLIENT_DAYS,
          now: new Date(tools.now()),
        });
        for (const wish of signed.dropped) outputOf(tools, command).warn('REQUEST_DROPPED', `Not granted: ${wish}.`);
        warnOfMissingName(
          tools,
          command,
          signed,
          'Have the request made with the delegate\'s name in it: "sallyport cert csr --name NAME".',
        );
        warnOfEcKey(tools, command, signed.facts.keyAlgorithm);
        warnOfEarlyEnd(tools, command, signed, options.days);
        return [publicFile(out, signed.certificatePem)];
      });
    });

  example(cert.command('renew'), 'sallyport cert renew client.crt --out client-2027')
    .description('issue a certificate anew with the same identity, and a new key unless --keep-key names the old one')
    .argument('<certificate>', 'the client certificate to renew; it may have expired')
    .option('--name <name>', "the delegate's name, for a certificate that carries no name of its own")
    .option('--keep-key <file>', 'keep this key, which must be that of the certificate')
    .addOption(keyTypeOption('the kind of the old one'))
    .addOption(daysOption(DEFAULT_CLIENT_DAYS))
    .addOption(caKeyOption())
    .addOption(caPassphraseOption())
    .addOption(required(new Option('--out <prefix>', 'write PREFIX.crt, and PREFIX.key for a new key')))
    .addOption(forceOption())
    .action(async (file: string, options: MakingOptions & { keepKey?: string }, command: Command) => {
      if (options.keepKey !== undefined && options.keyType !== undefined) {
        throw usageError(
          '--keep-key and --key-type exclude each other: a key that is kept is of the kind that it is.',
          'Give --keep-key for the old key, or --key-type for a new one of that kind.',
        );
      }
      const { certificate, key } = pairAt(options.out ?? 'client');
      // The certificate that is renewed may be replaced, but not a key that lies in one file with it.
      const { passphrase } = await passphraseOf(options);
      const { keys, certificates } = await findIn(file, passphrase);
      const holdsKey = keys.length > 0 || certificates.some(({ keyInside }) => keyInside);
      const read = [...authorityFiles(options, command), ...given(options.keepKey), ...(holdsKey ? [file] : [])];
      const targets = options.keepKey === undefined ? [certificate, key] : [certificate];
      await refuseReplacingInputs(targets, read);
      await make(tools, command, options, targets, async () => {
        const renewed = await renew({
          authority: await readAuthority(options, command),
          certificatePem: await readCertificateText(file, passphrase),
          ...(options.name !== undefined && { name: options.name }),
          ...(options.keepKey !== undefined && { keep: { privateKeyPem: await keptKeyText(options.keepKey) } }),
          ...(options.keyType !== undefined && { keyAlgorithm: options.keyType }),
          days: options.days ?? DEFAULT_CLIENT_DAYS,
          now: new Date(tools.now()),
        });
        const { previous } = renewed;
        if (options.keepKey === undefined && options.keyType === undefined && !isSameKind(previous, renewed.facts)) {
          const what = `The old key is ${previous.keyAlgorithm}, the new one ${renewed.facts.keyAlgorithm}.`;
          outputOf(tools, command).warn('KEY_KIND', `${what} Give --key-type for another kind.`);
        }
        warnOfMissingName(tools, command, renewed, "Give the delegate's name with --name.");
        warnOfEcKey(tools, command, renewed.facts.keyAlgorithm);
        warnOfEarlyEnd(tools, command, renewed, options.days);
        const newKey = renewed.privateKeyPem === null ? [] : [secretFile(key, renewed.privateKeyPem)];
        return [publicFile(certificate, renewed.certificatePem), ...newKey];
      });
    });

  addReadingCommands(cert, tools);
  addSecretCommand(cert, tools);
  return cert;
}

/** Makes what `build` says and writes it, but not before it is sure that nothing would be overwritten. */
async function make(
  tools: Tools,
  command: Command,
  { force = false }: { readonly force?: boolean },
  paths: readonly string[],
  build: () => Promise<NewFile[]>,
): Promise<void> {
  await refuseExisting(paths, force);
  let files: NewFile[];
  try {
    files = await build();
  } catch (error) {
    if (error instanceof IssuanceError)
      throw usageError(error.message, 'Nothing was written. Mend it and run the command again.', error.problem);
    throw error;
  }
  await writeLocalFiles(files, force);
  const written = files.map(({ path, secret }) => ({ file: path, secret }));
  outputOf(tools, command).result(written, () =>
    written.map(({ file, secret }) => `Wrote ${file}${secret ? ' (0600: keep it secret)' : ''}\n`).join(''),
  );
}

function warnOfEcKey(tools: Tools, command: Command, algorithm: string): void {
  if (!algorithm.startsWith('EC')) return;
  outputOf(tools, command).warn(
    'EC_KEY',
    'The Java delegate reads RSA keys only; ours and Go clients read EC keys too.',
  );
}

function warnOfEarlyEnd(
  tools: Tools,
  command: Command,
  { facts, endsWithIssuer }: IssuedCertificate,
  days = DEFAULT_CLIENT_DAYS,
): void {
  if (!endsWithIssuer) return;
  const end = formatTime(facts.notAfter.getTime());
  outputOf(tools, command).warn(
    'ENDS_WITH_CA',
    `Valid until ${end} only, not for ${days} days: its CA "${facts.issuer}" ends then. Make a new CA with "sallyport cert ca", and rotate to it.`,
  );
}

function warnOfMissingName(tools: Tools, command: Command, { facts }: IssuedCertificate, remedy: string): void {
  if (facts.sans.length > 0) return;
  outputOf(tools, command).warn(
    'NO_SAN',
    `The certificate has no subject alternative name: it can be told from others by its subject "${facts.subject}" only. ${remedy}`,
  );
}

/** A key that a delegate uses: one with a passphrase is of no use to it, so none is asked for. */
async function keptKeyText(file: string): Promise<string> {
  const locked = flawsForDelegate(await readKey(file)).find(({ code }) => code === 'KEY_ENCRYPTED');
  if (locked !== undefined) throw usageError(locked.message, locked.remedy);
  return readKeyText(file);
}

const isSameKind = (left: CertificateFacts, right: CertificateFacts): boolean =>
  left.keyAlgorithm === right.keyAlgorithm;

const given = (path: string | undefined): string[] => (path === undefined ? [] : [path]);

const pairAt = (prefix: string) => ({ certificate: `${prefix}.crt`, key: `${prefix}.key` });
const publicFile = (path: string, text: string): NewFile => ({ path, text, secret: false });
const secretFile = (path: string, text: string): NewFile => ({ path, text, secret: true });
