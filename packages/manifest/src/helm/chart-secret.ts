import { shellQuote } from '../edit/shell-words.ts';
import type { Place, Problem } from '../finding.ts';
import { fileNameFault, secretManifest } from '../kubernetes/secret-manifest.ts';
import type { ManifestError, ManifestErrorCode } from '../manifest-error.ts';
import type { CompanionFile, MigrateOptions } from '../migration.ts';

/**
 * The Secret that mTLS.secretName is to name: the one asked for, the one that is set, or one of the delegate's own.
 *
 * @throws what `refuse` makes, when there is none, or it could not be the name of the Secret's file.
 */
export function secretNameFor(
  delegateName: string,
  present: string | undefined,
  options: MigrateOptions,
  refuse: (code: ManifestErrorCode, message: string) => ManifestError,
): string {
  if (options.secretName !== undefined) return options.secretName;
  const named = present !== undefined && present !== '' ? present : undefined;
  if (!options.certificate) {
    if (named !== undefined) return named;
    const what = `"${delegateName}" has no client certificate`;
    throw refuse(
      'CERTIFICATE_MISSING',
      `${what}: give certificate and key, or the name of the Secret that holds them.`,
    );
  }
  const name = named ?? `${delegateName}-client-certificate`;
  const fault = fileNameFault(name);
  if (fault) throw refuse('SHAPE_UNSUPPORTED', fault);
  return name;
}

/** A chart cannot hold the certificate: its Secret is a file of its own. */
export function certificateCompanion(
  name: string,
  namespace: string | undefined,
  options: MigrateOptions,
): CompanionFile[] {
  if (!options.certificate) return [];
  const text = secretManifest(name, namespace, options.certificate);
  return [
    {
      path: `${name}.yaml`,
      text,
      why: 'The Secret that mTLS.secretName names: apply it in the namespace of the release before "helm upgrade".',
    },
  ];
}

/** The reminder that Helm does not make that Secret. */
export function secretStep(name: string, at: Place): Problem {
  return {
    code: 'CERTIFICATE_SECRET_MISSING',
    at,
    message: `The chart expects the Secret "${name}" in the namespace of the release and does not make it.`,
    remedy: `Create it before "helm upgrade": kubectl create secret generic ${shellQuote(name)} --from-file=client.crt --from-file=client.key`,
  };
}
