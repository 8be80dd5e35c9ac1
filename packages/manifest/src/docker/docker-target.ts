import { inMountDirectory } from '../container-path.ts';
import { certificateFile, certificatePath, keyFile, keyPath, mountDirectory } from '../delegate-variables.ts';
import type { Endpoint } from '../endpoint.ts';
import type { Place, Problem } from '../finding.ts';
import { ManifestError } from '../manifest-error.ts';
import type { MigrateOptions } from '../migration.ts';

/** Paths on the docker host. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

export interface DockerTarget {
  readonly endpoint: Endpoint | undefined;
  readonly files: CertificateFiles | undefined;
  readonly continuousIntegration: boolean;
}

/** @throws ManifestError OPTION_INVALID for options that mean nothing to docker. */
export function dockerTarget(endpoint: Endpoint, options: MigrateOptions): DockerTarget {
  if (options.secretName !== undefined) {
    throw new ManifestError(
      'OPTION_INVALID',
      `Docker has no Secrets: give the paths of certificate and key on the docker host instead of "${options.secretName}".`,
    );
  }
  const files = options.certificateFiles;
  for (const path of files ? [files.certificate, files.key] : []) {
    if (path === '' || (path.includes(':') && !/^[A-Za-z]:[\\/][^:]*$/.test(path)) || /[\n\r,]/.test(path)) {
      throw new ManifestError(
        'OPTION_INVALID',
        `"${path}" cannot be mounted: a path with ":" or "," ends a mount's source.`,
      );
    }
  }
  return { endpoint, files, continuousIntegration: options.continuousIntegration ?? false };
}

/** Whether a container shows any trace of a client certificate. */
export function begunInContainer(
  variables: readonly { readonly name: string }[],
  mounts: readonly { readonly target: string }[],
): boolean {
  return (
    variables.some(({ name }) => name.startsWith('DELEGATE_CLIENT_CERTIFICATE_')) ||
    mounts.some(({ target }) => inMountDirectory(target))
  );
}

/** Whether targets of mounts give a container both files. */
export function mountsBoth(targets: readonly string[]): boolean {
  return targets.includes(mountDirectory) || (targets.includes(certificatePath) && targets.includes(keyPath));
}

const connections = ['MANAGER_HOST_AND_PORT', 'LOG_STREAMING_SERVICE_URL', 'TI_SERVICE_URL'];

/** What a file of variables may say about the connection, where the container itself does not. */
export function* envFileAdvice(
  path: string,
  place: Place,
  variables: readonly { readonly name: string }[],
  { endpoint }: DockerTarget,
): Iterable<Problem> {
  const open = connections.filter((name) => variables.every((variable) => variable.name !== name));
  if (open.length === 0) return;
  yield {
    code: 'EXTERNAL_VALUE',
    at: place,
    message: `${open.join(', ')} may come from the file "${path}", which was not looked at.`,
    remedy: `If they are set there, set them to URLs of ${endpoint ? endpoint.url : 'the mTLS endpoint'}.`,
  };
}

/** That a file was given, and something else is mounted where it belongs and was left. */
export function mountKept(path: string, source: string | undefined, given: readonly string[], at: Place): Problem {
  const present = source === undefined ? 'a secret of the compose file' : `"${source}"`;
  return {
    code: 'EXTERNAL_VALUE',
    at,
    message: `${path} is mounted from ${present}, which was left as it is; not mounted: ${given.join(', ')}.`,
    remedy: 'See to it that it brings this certificate and its key, or take that mount out and migrate again.',
  };
}

/** As `mountKept`, of the whole directory: when it is mounted, and not from the folder of the files that were given. */
export function* folderKept(
  source: string | undefined,
  files: CertificateFiles | undefined,
  at: Place,
): Iterable<Problem> {
  if (files && !isFolderOf(source, files)) yield mountKept(mountDirectory, source, [files.certificate, files.key], at);
}

/** Whether a folder mounted at /etc/mtls is the one in which both files are. */
function isFolderOf(folder: string | undefined, { certificate, key }: CertificateFiles): boolean {
  const name = folder?.replace(/[\\/]+$/, '') ?? '';
  return [certificate, key].every((path, index) =>
    ['/', '\\'].some((slash) => path === `${name}${slash}${index === 0 ? certificateFile : keyFile}`),
  );
}

export const filesMissing =
  'has no client certificate: give the paths of certificate and key on the docker host, to be mounted at /etc/mtls.';
