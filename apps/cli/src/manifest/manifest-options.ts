import type { ManifestForm } from '@sallyport/manifest';
import { InvalidArgumentError, Option } from 'commander';
import { readLocalText } from '../cert/local-files.ts';
import { usageError } from '../errors.ts';
import { oneOf } from '../options.ts';

const FORMS = {
  kubernetes: 'kubernetes',
  helm: 'helm-values',
  'helm-command': 'helm-command',
  docker: 'docker-command',
  compose: 'compose',
  'upgrader-config': 'upgrader-config',
} as const satisfies Record<string, ManifestForm>;

export const formOption = (description: string): Option =>
  new Option('--form <form>', description).choices(Object.keys(FORMS)).argParser(oneOf<ManifestForm>(FORMS));

export const certificateOption = (): Option =>
  new Option('--certificate <file>', 'client.crt, with its intermediates; needs --key');

export const keyOption = (): Option =>
  new Option('--key <file>', 'client.key: it goes into the file, whose rights for others then end');

export const secretOption = (): Option =>
  new Option('--secret <name>', 'name of the Secret that holds client.crt and client.key in the cluster').argParser(
    kubernetesName,
  );

/** The name of a Kubernetes object, which commands and files quote as it is. */
export function kubernetesName(text: string): string {
  if (/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(text)) return text;
  throw new InvalidArgumentError('Use lower case letters, digits and dashes.');
}

export const hostFolderOption = (): Option =>
  new Option(
    '--host-folder <path>',
    'docker and compose: folder of the docker host with client.crt and client.key (those of --certificate when not given)',
  );

const REFUSED_SCOPE = 'refused: project-level certificates are not supported';
export const organizationOption = (): Option => new Option('--org <org>', REFUSED_SCOPE);
export const projectOption = (): Option => new Option('--project <project>', REFUSED_SCOPE);

export interface ProjectArguments {
  readonly org?: string;
  readonly project?: string;
}

export interface CertificateFiles {
  readonly certificate?: string;
  readonly key?: string;
}

/** The pair of --certificate and --key; undefined when neither is given. */
export async function readPairOf({ certificate, key }: CertificateFiles) {
  if (certificate === undefined && key === undefined) return undefined;
  if (certificate === undefined || key === undefined) {
    const missing = certificate === undefined ? '--certificate' : '--key';
    throw usageError(`${missing} <file> is missing.`, 'Give both, --certificate and --key.');
  }
  return { certificatePem: await readLocalText(certificate), keyPem: await readLocalText(key) };
}

/** Where docker finds the two on its host; undefined when not given. */
export function hostFiles(folder: string | undefined): { certificate: string; key: string } | undefined {
  if (folder === undefined) return undefined;
  if (!folder.startsWith('/'))
    throw usageError(`--host-folder "${folder}" is not absolute.`, 'Give the path as the docker host knows it.');
  const base = folder.replace(/\/+$/, '');
  return { certificate: `${base}/client.crt`, key: `${base}/client.key` };
}
