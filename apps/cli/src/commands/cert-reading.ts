import {
  CaBundleError,
  ChainError,
  orderChain,
  VerificationError,
  type VerificationRequest,
  verifyClientCertificate,
} from '@sallyport/trust';
import { type Command, Option } from 'commander';
import { type FoundCertificate, findInAll } from '../cert/certificate-input.ts';
import { forceOption, inputPassphraseOption, passphraseOf } from '../cert/certificate-options.ts';
import { inspect } from '../cert/inspection.ts';
import { inspectionText } from '../cert/inspection-text.ts';
import { refuseReplacingInputs, writeLocalFiles } from '../cert/local-files.ts';
import { readBundleText, readCertificateText, readKeyText } from '../cert/pem-input.ts';
import type { GlobalOptions } from '../connection.ts';
import { CliError, usageError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { example } from '../help.ts';
import { required } from '../options.ts';
import { formatTime } from '../output/format.ts';
import { outputOf, type Tools } from '../session.ts';

/** The gateway's verdict does not depend on the endpoint's name; a handshake needs one. */
const ANY_ENDPOINT = 'endpoint.agent.invalid';

interface ChainOptions {
  readonly out: string;
  readonly force?: boolean;
  readonly passphraseFile?: string;
}

interface VerifyOptions {
  readonly key: string;
  readonly passphraseFile?: string;
}

/** The verbs of `cert` that look at what is there: chain, inspect, verify. */
export function addReadingCommands(cert: Command, tools: Tools): void {
  example(cert.command('chain'), 'sallyport cert chain client.crt intermediate.crt --out chain.crt')
    .description('put a client certificate and its intermediates into one file, in the order that TLS wants')
    .argument('<files...>', 'files with the certificates, in any order')
    .addOption(required(new Option('--out <file>', 'file to write')))
    .addOption(inputPassphraseOption())
    .addOption(forceOption())
    .action(async (files: string[], options: ChainOptions, command: Command) => {
      const { out, force = false } = options;
      const { passphrase } = await passphraseOf(options);
      const { certificates, keys } = await findInAll(files, passphrase);
      // Only certificates are written: a key in the same file would be gone.
      const withKey = [...keys, ...certificates.filter(({ keyInside }) => keyInside)].map(({ file }) => file);
      await refuseReplacingInputs([out], withKey);
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

  example(cert.command('inspect'), 'sallyport cert inspect client.crt client.key')
    .description(
      'show what certificates, requests and keys are, what belongs together, and what is weak; PEM, DER, PKCS#7, PKCS#12 or a Secret',
    )
    .argument('<files...>', 'files to look into')
    .addOption(inputPassphraseOption())
    .action(async (files: string[], options: { readonly passphraseFile?: string }, command: Command) => {
      const { passphrase } = await passphraseOf(options);
      const report = inspect(await findInAll(files, passphrase), new Date(tools.now()));
      outputOf(tools, command).result(report, () => inspectionText(report, tools.now()));
    });

  example(cert.command('verify'), 'sallyport cert verify client.crt --key client.key --ca ca.crt')
    .description(
      "the gateway's verdict on a client certificate under the CA bundle of --ca, by a real TLS handshake in memory",
    )
    .argument('<certificate>', 'client.crt, with its intermediates')
    .addOption(required(new Option('--key <file>', 'its key: a handshake cannot be made without it')))
    .addOption(inputPassphraseOption())
    .action(async (certificate: string, options: VerifyOptions, command: Command) => {
      const { ca } = command.optsWithGlobals<GlobalOptions>();
      if (ca === undefined)
        throw usageError('--ca <file> is missing.', 'Name the CA bundle of the endpoint with --ca.');
      const { passphrase } = await passphraseOf(options);
      const { verdict } = await verification({
        ca,
        bundlePem: await readBundleText(ca, passphrase),
        certificatePem: await readCertificateText(certificate, passphrase),
        keyPem: await readKeyText(options.key, passphrase),
        now: new Date(tools.now()),
      });
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

async function verification({ ca, ...request }: Omit<VerificationRequest, 'fqdn'> & { readonly ca: string }) {
  try {
    return await verifyClientCertificate({ ...request, fqdn: ANY_ENDPOINT });
  } catch (error) {
    if (error instanceof CaBundleError)
      throw usageError(`${ca}: ${error.message}`, 'Name the CA bundle of the endpoint.', error.problem);
    if (error instanceof VerificationError)
      throw usageError(error.message, 'Mend the file that the message names.', error.problem);
    throw error;
  }
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
