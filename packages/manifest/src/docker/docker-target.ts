import { certificatePath, keyPath, mountDirectory } from '../delegate-variables.ts';
import type { Endpoint } from '../endpoint.ts';
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
    mounts.some(({ target }) => target.startsWith(mountDirectory))
  );
}

/** Whether targets of mounts give a container both files. */
export function mountsBoth(targets: readonly string[]): boolean {
  const clean = targets.map((target) => target.replace(/(?<=.)\/$/, ''));
  return clean.includes(mountDirectory) || (clean.includes(certificatePath) && clean.includes(keyPath));
}

export const filesMissing =
  'has no client certificate: give the paths of certificate and key on the docker host, to be mounted at /etc/mtls.';
