import { createPrivateKey, X509Certificate } from 'node:crypto';
import {
  CaBundleError,
  ChainError,
  findWeaknesses,
  orderChain,
  Purpose,
  VerificationError,
  verifyClientCertificate,
} from '@sallyport/trust';
import { type Command, Option } from 'commander';
import { type FoundCertificate, type FoundKey, findIn } from '../cert/certificate-input.ts';
import { forceOption, inputPassphraseOption, passphraseOf } from '../cert/certificate-options.ts';
import { readLocalText, writeLocalFiles } from '../cert/local-files.ts';
import type { GlobalOptions } from '../connection.ts';
import { CliError, usageError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { example } from '../help.ts';
import { required } from '../options.ts';
import { formatTime, orDash } from '../output/format.ts';
import { fields } from '../output/table.ts';
import { outputOf, type Tools } from '../session.ts';

const DAY_MS = 86_400_000;
/** The gateway's verdict does not depend on the endpoint's name; a handshake needs one. */
const ANY_ENDPOINT = 'endpoint.agent.invalid';

/** The verbs of `cert` that look at what is there: chain, secret, inspect, verify. */
export function addReadingCommands(cert: Command, tools: Tools): void {
  example(cert.command('chain'), 'sallyport cert chain client.crt intermediate.crt --out chain.crt')
    .description('put a client certificate and its intermediates into one file, in the order that TLS wants')
    .argument('<files...>', 'files with the certificates, in any order')
    .addOption(required(new Option('--out <file>', 'file to write')))
    .addOption(forceOption())
    .action(async (files: string[], { out, force = false }: { out: string; force?: boolean }, command: Command) => {
      const { certificates } = await findInAll(files);
      const chain = ordered(certificates);
      const pemOf = (facts: { fingerprint256: string }) =>
        certificates.find((found) => found.facts.fingerprint256 === facts.fingerprint256)?.pem ?? '';
      const text = [chain.leaf, ...chain.intermediates].map(pemOf).join('');
      await writeLocalFiles([{ path: out, text, secret: false }], force);
      const output = outputOf(tools, command);
      for (const { subject } of chain.unrelated)
        output.warn('UNRELATED', `Left out, not part of this chain: ${subject}.`);
      const subjects = [chain.leaf, ...chain.intermediates].map(({ subject }) => subject);
      output.result({ file: out, certificates: subjects }, () => `Wrote ${out}: ${subjects.join('; ')}\n`);
    });

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
    .option('--kubectl', 'print the kubectl command instead of the YAML, so that no key is printed')
    .action(
      async (
        certificate: string,
        key: string,
        options: { name: string; namespace?: string; kubectl?: boolean },
        command: Command,
      ) => {
        const pair = await readPair(certificate, key);
        const { namespace = 'harness-delegate-ng' } = options;
        for (const name of [options.name, namespace]) {
          if (!/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(name))
            throw usageError(`"${name}" is not a Kubernetes name.`, 'Use lower case letters, digits and dashes.');
        }
        const secret = {
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: { name: options.name, namespace },
          type: 'Opaque',
          data: { 'client.crt': base64(pair.certificate), 'client.key': base64(pair.key) },
        };
        const line = `kubectl create secret generic ${options.name} --namespace ${namespace} --from-file=client.crt=${quoted(certificate)} --from-file=client.key=${quoted(key)}`;
        outputOf(tools, command).result(options.kubectl ? { command: line } : secret, () =>
          options.kubectl ? `${line}\n` : secretYaml(options.name, namespace, secret.data),
        );
      },
    );

  example(cert.command('inspect'), 'sallyport cert inspect client.crt client.key')
    .description(
      'show what certificates and keys are, whether they belong together, and what is weak; PEM, DER, PKCS#12 or a Secret',
    )
    .argument('<files...>', 'files to look into')
    .addOption(inputPassphraseOption())
    .action(async (files: string[], options: { readonly passphraseFile?: string }, command: Command) => {
      const now = new Date(tools.now());
      const { passphrase } = await passphraseOf(options);
      const { certificates, keys } = await findInAll(files, passphrase);
      const report = certificates.map((found) => describe(found, keys, now, passphrase));
      const strayKeys = keys.filter((key) => !certificates.some((found) => belongs(found, key, passphrase)));
      const output = outputOf(tools, command);
      output.result(
        {
          certificates: report,
          chain: chainOf(certificates),
          keysWithoutCertificate: strayKeys.map(({ file, place }) => ({ file, place })),
        },
        () =>
          [
            ...report.map(text),
            ...strayKeys.map(({ file, place }) => `${file}, ${place}: belongs to none of these certificates\n`),
            chainLine(chainOf(certificates)),
          ].join('\n'),
      );
    });

  example(cert.command('verify'), 'sallyport cert verify client.crt --key client.key --ca ca.crt')
    .description(
      "the gateway's verdict on a client certificate under the CA bundle of --ca, by a real TLS handshake in memory",
    )
    .argument('<certificate>', 'client.crt, with its intermediates')
    .addOption(required(new Option('--key <file>', 'its key: a handshake cannot be made without it')))
    .action(async (certificate: string, { key }: { key: string }, command: Command) => {
      const { ca } = command.optsWithGlobals<GlobalOptions>();
      if (ca === undefined)
        throw usageError('--ca <file> is missing.', 'Name the CA bundle of the endpoint with --ca.');
      const { verdict } = await verification(ca, certificate, key, new Date(tools.now()));
      if (!verdict.admitted) {
        throw new CliError(verdict.message, { code: verdict.reason, exit: EXIT.failure, remedy: verdict.remedy });
      }
      const validUntil = verdict.validUntil.getTime();
      outputOf(tools, command).result(
        { admitted: true, fingerprint: verdict.fingerprint256, validUntil },
        () => `Admitted, until ${formatTime(validUntil)}.\n`,
      );
    });
}

async function verification(ca: string, certificate: string, key: string, now: Date) {
  const [bundlePem, certificatePem, keyPem] = await Promise.all([ca, certificate, key].map(readLocalText));
  try {
    return await verifyClientCertificate({
      bundlePem: bundlePem ?? '',
      certificatePem: certificatePem ?? '',
      keyPem: keyPem ?? null,
      fqdn: ANY_ENDPOINT,
      now,
    });
  } catch (error) {
    if (error instanceof CaBundleError)
      throw usageError(`${ca}: ${error.message}`, 'Name the CA bundle of the endpoint.', error.problem);
    if (error instanceof VerificationError)
      throw usageError(error.message, 'Mend the file that the message names.', error.problem);
    throw error;
  }
}

async function findInAll(files: readonly string[], passphrase?: string) {
  const found = await Promise.all(files.map((file) => findIn(file, passphrase)));
  return { certificates: found.flatMap((each) => each.certificates), keys: found.flatMap((each) => each.keys) };
}

function ordered(certificates: readonly FoundCertificate[]) {
  try {
    return orderChain(certificates.map(({ facts }) => facts));
  } catch (error) {
    if (error instanceof ChainError)
      throw usageError(error.message, 'Name the files of one client certificate and its intermediates.');
    throw error;
  }
}

async function readPair(certificateFile: string, keyFile: string): Promise<{ certificate: string; key: string }> {
  const [certificates, keys] = await Promise.all([findIn(certificateFile), findIn(keyFile)]);
  const [leaf] = certificates.certificates;
  const [key] = keys.keys;
  if (leaf === undefined)
    throw usageError(`${certificateFile} holds no certificate.`, 'Name client.crt first, then client.key.');
  if (key === undefined)
    throw usageError(`${keyFile} holds no private key.`, 'Name client.crt first, then client.key.');
  if (!belongs(leaf, key)) {
    throw usageError(
      `The key in ${keyFile} does not belong to ${leaf.facts.subject} in ${certificateFile}.`,
      'Name the key that was made with the certificate.',
    );
  }
  return { certificate: certificates.certificates.map(({ pem }) => pem).join(''), key: key.pem };
}

/** False also for a key that cannot be read without its passphrase. */
function belongs({ pem }: FoundCertificate, key: FoundKey, passphrase?: string): boolean {
  try {
    const input = passphrase === undefined ? key.pem : { key: key.pem, passphrase };
    return new X509Certificate(pem).checkPrivateKey(createPrivateKey(input));
  } catch {
    // OpenSSL's message may quote the key.
    return false;
  }
}

function describe(found: FoundCertificate, keys: readonly FoundKey[], now: Date, passphrase?: string) {
  const { file, place, facts } = found;
  const key = keys.find((candidate) => belongs(found, candidate, passphrase));
  const keyPlace = found.keyInside ? `${file}, beside it` : null;
  return {
    file,
    place,
    subject: facts.subject,
    issuer: facts.issuer,
    subjectAlternativeNames: facts.sans.map(({ type, value }) => `${type}:${value}`),
    serialNumber: facts.serialNumber,
    notBefore: facts.notBefore.getTime(),
    notAfter: facts.notAfter.getTime(),
    daysLeft: Math.floor((facts.notAfter.getTime() - now.getTime()) / DAY_MS),
    isCa: facts.isCa,
    version: facts.version,
    keyAlgorithm: facts.keyAlgorithm,
    signatureAlgorithm: facts.signatureAlgorithm,
    purposes: facts.purposes,
    fingerprint: facts.fingerprint256,
    privateKey: key === undefined ? keyPlace : `${key.file}, ${key.place}`,
    weaknesses: findWeaknesses(facts, now),
  };
}

function text(report: ReturnType<typeof describe>): string {
  const weaknesses = report.weaknesses.map(
    ({ fatal, message, remedy }) => `${fatal ? 'refused' : 'weak'}: ${message} ${remedy}\n`,
  );
  return (
    fields([
      ['Where', `${report.file}, ${report.place}`],
      ['Subject', orDash(report.subject)],
      ['Names', orDash(report.subjectAlternativeNames.join(', '))],
      ['Issuer', orDash(report.issuer)],
      ['Valid', `${formatTime(report.notBefore)} to ${formatTime(report.notAfter)} (${report.daysLeft} days left)`],
      [
        'Kind',
        `${report.isCa ? 'CA' : 'client'} certificate, X.509 v${report.version}, ${report.keyAlgorithm}, signed with ${report.signatureAlgorithm}`,
      ],
      ['Purpose', purposesText(report.purposes)],
      ['Serial', report.serialNumber],
      ['SHA-256', report.fingerprint],
      ['Key', report.privateKey ?? 'not among these files'],
    ]) + weaknesses.join('')
  );
}

type ChainReport = { readonly problem: string } | { readonly inOrder: boolean; readonly unrelated: readonly string[] };

/** How the certificates lie as a chain; null when there is nothing to put in order. */
function chainOf(certificates: readonly FoundCertificate[]): ChainReport | null {
  if (certificates.length < 2 || certificates.every(({ facts }) => facts.isCa)) return null;
  try {
    const { leaf, intermediates, root, unrelated } = orderChain(certificates.map(({ facts }) => facts));
    const wanted = [leaf, ...intermediates, ...(root === null ? [] : [root])].map((each) => each.fingerprint256);
    const given = certificates
      .map(({ facts }) => facts.fingerprint256)
      .filter((fingerprint) => wanted.includes(fingerprint));
    const inOrder = wanted.every((fingerprint, index) => given[index] === fingerprint);
    return { inOrder, unrelated: unrelated.map(({ subject }) => subject) };
  } catch (error) {
    // Two client certificates side by side are no chain, and no reason not to show them.
    if (error instanceof ChainError) return { problem: error.message };
    throw error;
  }
}

function chainLine(chain: ChainReport | null): string {
  if (chain === null) return '';
  if ('problem' in chain) return `Chain: none. ${chain.problem}\n`;
  const others = chain.unrelated.length === 0 ? '' : `; not part of it: ${chain.unrelated.join('; ')}`;
  return `Chain: ${chain.inOrder ? 'in order' : 'out of order (mend it with "sallyport cert chain")'}${others}\n`;
}

const PURPOSES: Readonly<Record<string, string>> = {
  [Purpose.CLIENT_AUTH]: 'TLS client',
  [Purpose.SERVER_AUTH]: 'TLS server',
  [Purpose.ANY]: 'any',
};

function purposesText(purposes: readonly string[] | null): string {
  if (purposes === null) return 'not stated, so every one';
  return purposes.map((oid) => PURPOSES[oid] ?? oid).join(', ');
}

const base64 = (value: string): string => Buffer.from(value).toString('base64');
const quoted = (path: string): string => (/^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`);

function secretYaml(name: string, namespace: string, data: Readonly<Record<string, string>>): string {
  const values = Object.entries(data).map(([key, value]) => `  ${key}: ${value}\n`);
  return `apiVersion: v1\nkind: Secret\nmetadata:\n  name: ${name}\n  namespace: ${namespace}\ntype: Opaque\ndata:\n${values.join('')}`;
}
