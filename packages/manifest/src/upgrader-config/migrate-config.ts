import { EditableText } from '../edit/editable-text.ts';
import { inOrder, settle } from '../edit/settle.ts';
import { YamlCursor } from '../edit/yaml-cursor.ts';
import { YamlFile } from '../edit/yaml-file.ts';
import type { Endpoint } from '../endpoint.ts';
import { ManifestError } from '../manifest-error.ts';
import type { Migration } from '../migration.ts';
import { report, warningsFrom } from '../migration-report.ts';
import { refusal, refuseDuplicates, refuseUnparsable } from '../yaml-refusals.ts';
import { upgraderConfigRules } from './config-rules.ts';

/** Migrates an upgrader's config.yaml that is a file of its own. */
export function migrateUpgraderConfig(text: string, endpoint: Endpoint): Migration {
  const source = new EditableText(text);
  const file = new YamlFile(source);
  refuseUnparsable(file);
  refuseDuplicates(file);
  const root = (): YamlCursor => {
    const found = upgraderConfigRoot(file);
    if (!found)
      throw new ManifestError(
        'NO_DELEGATE',
        'This file names no workload to upgrade: an upgrader’s config.yaml has workloadName and delegateConfig.',
        { line: 1, column: 1 },
      );
    return found;
  };
  const mode = root().get('mode');
  if (mode?.text !== undefined && mode.text !== 'Delegate') {
    throw refusal(
      source,
      'NO_DELEGATE',
      `The upgrader's mode is "${mode.text}", and only "Delegate" is upgraded with a client certificate.`,
      mode,
    );
  }
  const rules = inOrder([(scene: YamlCursor) => upgraderConfigRules(scene, endpoint)]);
  const keys = ['clientCertificateFilePath', 'clientCertificateKeyFilePath'];
  const begun = keys.some((key) => root().get(key) ?? root().at('delegateConfig', key));
  const applied = settle(file, root, rules);
  return {
    form: 'upgrader-config',
    text: source.text,
    ...report(applied, { begun, atEndpoint: false }),
    warnings: warningsFrom([...upgraderConfigRules(root(), endpoint)], source),
    companions: [],
  };
}

export function upgraderConfigRoot(file: YamlFile): YamlCursor | undefined {
  const root = file.parts.map((part) => YamlCursor.root(part)).find((cursor) => cursor?.map);
  return root?.get('delegateConfig') || root?.get('workloadName') ? root : undefined;
}
