import { findWeaknesses } from '@sallyport/trust';
import { type Command, Option } from 'commander';
import { type FoundCertificate, findIn } from '../cert/certificate-input.ts';
import { inputPassphraseOption, passphraseOf } from '../cert/certificate-options.ts';
import { belongs } from '../cert/inspection.ts';
import { readLocalText } from '../cert/local-files.ts';
import { readKey } from '../cert/pem-input.ts';
import { type FoundKey, flawsForDelegate } from '../cert/private-key-input.ts';
import { usageError } from '../errors.ts';
import { example } from '../help.ts';
import { required } from '../options.ts';
import type { Output } from '../output/output.ts';
import { outputOf, type Tools } from '../session.ts';

interface SecretOptions {
  readonly name: string;
  readonly namespace?: string;
  readonly kubectl?: boolean;
  readonly passphraseFile?: string;
}

/** `cert secret`: the pair as a delegate's pod mounts it. */
export function addSecretCommand(cert: Command, tools: Tools): void {
  example(
    cert.command('secret'),
    'sallyport cert secret client.crt client.key --name edge-1-client-certificate > secret.yaml',
  )
    .description(
      'print the Kubernetes Secret that a delegate mounts at /etc/mtls; with --kubectl the command that makes it',
    )
    .argument('<certificate>', 'client.crt, with its intermediates')
    .argument('<key>', 'client.key')
    .addOption(required(new Option('--name <name>', 'name of the Secret')))
    .option('--namespace <namespace>', 'namespace (harness-delegate-ng when not given)')
    .addOption(inputPassphraseOption())
    .option('--kubectl', 'print the kubectl command instead of the YAML, so that no key is printed')
    .action(async (certificate: string, key: string, options: SecretOptions, command: Command) => {
      const { name, namespace = 'harness-delegate-ng' } = options;
      for (const each of [name, namespace]) {
        if (!/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(each))
          throw usageError(`"${each}" is not a Kubernetes name.`, 'Use lower case letters, digits and dashes.');
      }
      const { passphrase } = await passphraseOf(options);
      const pair = await readPair(certificate, key, passphrase);
      const output = outputOf(tools, command);
      warnOfWeaknesses(output, pair, new Date(tools.now()));
      if (options.kubectl) {
        await refuseOtherThanPem(certificate, key);
        const line = `kubectl create secret generic ${name} --namespace ${namespace} --from-file=client.crt=${quoted(certificate)} --from-file=client.key=${quoted(key)}`;
        output.result({ command: line }, () => `${line}\n`);
        return;
      }
      const data = {
        'client.crt': base64(pair.certificates.map(({ pem }) => pem).join('')),
        'client.key': base64(pair.key.pem ?? ''),
      };
      const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, type: 'Opaque', data };
      output.result(secret, () => secretYaml(name, namespace, data));
    });
}

interface Pair {
  readonly leaf: FoundCertificate;
  readonly certificates: readonly FoundCertificate[];
  readonly key: FoundKey;
}

/** A pair that a delegate can use. @throws CliError */
async function readPair(certificateFile: string, keyFile: string, passphrase: string | undefined): Promise<Pair> {
  const { certificates, keys } = await findIn(certificateFile, passphrase);
  if (certificates.length === 0 && keys.length > 0) await refuseSwapped(certificateFile, keyFile, passphrase);
  const key = await readKey(keyFile, passphrase);
  const [leaf] = certificates;
  if (leaf === undefined)
    throw usageError(`${certificateFile} holds no certificate.`, 'Name client.crt first, then client.key.');
  const unusable = flawsForDelegate(key).find(({ fatal }) => fatal);
  if (unusable !== undefined) throw usageError(unusable.message, unusable.remedy);
  if (!belongs(leaf, key)) throw noPair(certificateFile, keyFile, certificates, key);
  if (leaf.facts.isCa) {
    // Whoever can read the Secret could make delegates with it.
    throw usageError(
      `"${leaf.facts.subject}" in ${certificateFile} is a CA: its key must not lie in a cluster.`,
      'Make a client certificate with it: "sallyport cert client".',
    );
  }
  return { leaf, certificates, key };
}

/** Throws when the key file holds the certificate: the two were given the other way round. */
async function refuseSwapped(certificateFile: string, keyFile: string, passphrase: string | undefined): Promise<void> {
  const { certificates } = await findIn(keyFile, passphrase);
  if (certificates.length === 0) return;
  throw usageError(
    `${certificateFile} holds the key and ${keyFile} the certificate: they are swapped.`,
    'Name the certificate first, then the key.',
  );
}

function noPair(certificateFile: string, keyFile: string, certificates: readonly FoundCertificate[], key: FoundKey) {
  const place = certificates.findIndex((certificate) => belongs(certificate, key));
  if (place > 0) {
    return usageError(
      `${certificateFile} has the client certificate in place ${place + 1} of ${certificates.length}, and it must come first.`,
      `Put it in order: sallyport cert chain ${certificateFile} --out client.crt`,
    );
  }
  return usageError(
    `The key in ${keyFile} does not belong to "${certificates[0]?.facts.subject}" in ${certificateFile}.`,
    'Name the key that was made with the certificate.',
  );
}

function warnOfWeaknesses(output: Output, { leaf, key }: Pair, now: Date): void {
  const ofLeaf = findWeaknesses(leaf.facts, now).filter(({ code, fatal }) => fatal || code === 'EC_KEY');
  for (const { code, message, remedy } of [...flawsForDelegate(key), ...ofLeaf]) {
    output.warn(code, `${message} ${remedy}`);
  }
}

/** kubectl takes the files as they are. A key beside the certificate would be mounted as client.crt. */
async function refuseOtherThanPem(certificateFile: string, keyFile: string): Promise<void> {
  const [certificate, key] = await Promise.all([readLocalText(certificateFile), readLocalText(keyFile)]);
  if (!/^-----BEGIN CERTIFICATE-----/m.test(certificate) || certificate.includes('PRIVATE KEY-----')) {
    throw usageError(
      `${certificateFile} is not a PEM file of certificates alone, and kubectl would take it as it is.`,
      `Write one: sallyport cert chain ${certificateFile} --out client.crt; or leave --kubectl out.`,
    );
  }
  if (!/^-----BEGIN (?:RSA |EC )?PRIVATE KEY-----/m.test(key)) {
    throw usageError(
      `${keyFile} is not a PEM file of a private key, and kubectl would take it as it is.`,
      'Write the key into a file of its own, or leave --kubectl out.',
    );
  }
}

const base64 = (value: string): string => Buffer.from(value).toString('base64');
const quoted = (path: string): string => (/^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`);

function secretYaml(name: string, namespace: string, data: Readonly<Record<string, string>>): string {
  const values = Object.entries(data).map(([key, value]) => `  ${key}: ${value}\n`);
  return `apiVersion: v1\nkind: Secret\nmetadata:\n  name: ${name}\n  namespace: ${namespace}\ntype: Opaque\ndata:\n${values.join('')}`;
}
