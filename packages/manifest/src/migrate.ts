import { refuseCertificate } from './credentials.ts';
import { migrateCompose } from './docker/migrate-compose.ts';
import { migrateDockerCommand } from './docker/migrate-run.ts';
import { parseEndpoint } from './endpoint.ts';
import { detectForm } from './form.ts';
import { migrateHelmCommand } from './helm/command.ts';
import { migrateHelmValues } from './helm/values.ts';
import { migrateKubernetes } from './kubernetes/migrate-kubernetes.ts';
import { ManifestError } from './manifest-error.ts';
import type { MigrateOptions, Migration } from './migration.ts';
import { isObjectName } from './object-name.ts';
import { refuseProjectScope } from './project-scope.ts';
import { migrateUpgraderConfig } from './upgrader-config/migrate-config.ts';

/**
 * Moves a delegate's manifest to an mTLS endpoint. Nothing but what mTLS needs changes: comments, quotes, order and
 * line ends stay, and migrating the result again changes nothing. Half-finished migrations are repaired.
 *
 * @throws ManifestError with code, line and reason; the input is then best left as it is.
 */
export function migrate(text: string, options: MigrateOptions): Migration {
  const endpoint = parseEndpoint(options.endpoint);
  refuseOptions(options);
  const form = options.form ?? detectForm(text);
  switch (form) {
    case 'kubernetes':
      return migrateKubernetes(text, endpoint, options);
    case 'helm-values':
      return migrateHelmValues(text, endpoint, options);
    case 'helm-command':
      return migrateHelmCommand(text, endpoint, options);
    case 'docker-command':
      return migrateDockerCommand(text, endpoint, options);
    case 'compose':
      return migrateCompose(text, endpoint, options);
    case 'upgrader-config':
      return migrateUpgraderConfig(text, endpoint);
  }
}

function refuseOptions(options: MigrateOptions): void {
  refuseProjectScope(options);
  if (options.certificate && options.secretName !== undefined) {
    throw new ManifestError(
      'OPTION_INVALID',
      `Give either certificate and key or the Secret "${options.secretName}", not both.`,
    );
  }
  if (options.secretName !== undefined && !isObjectName(options.secretName)) {
    throw new ManifestError(
      'OPTION_INVALID',
      `"${options.secretName}" is no name for a Secret: lower-case letters, digits, "-" and "." only.`,
    );
  }
  if (options.certificate) refuseCertificate(options.certificate, options.inspector);
}
