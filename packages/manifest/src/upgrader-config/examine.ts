import type { CheckContext, Examination } from '../check/examination.ts';
import { contextEndpoint, managerFault, plainInStrict, reported } from '../check/examination.ts';
import type { EditableText } from '../edit/editable-text.ts';
import { at } from '../edit/repair.ts';
import { YamlFile } from '../edit/yaml-file.ts';
import { yamlFaults } from '../yaml-refusals.ts';
import { upgraderConfigRules } from './config-rules.ts';
import { upgraderConfigRoot } from './migrate-config.ts';

export function examineUpgraderConfig(source: EditableText, context: CheckContext): Examination[] {
  const file = new YamlFile(source);
  const problems = () => {
    if (file.parts.some((part) => part.fault)) return [...yamlFaults(file)];
    const root = upgraderConfigRoot(file);
    if (!root) return [];
    const host = root.at('delegateConfig', 'managerHost');
    const begun = ['clientCertificateFilePath', 'clientCertificateKeyFilePath'].some(
      (key) => root.get(key) ?? root.at('delegateConfig', key),
    );
    const place = at(host ?? root);
    return [
      ...reported(upgraderConfigRules(root, contextEndpoint(context, host?.text)), begun),
      ...managerFault(host?.text, place, begun),
      ...plainInStrict(context, begun, place, root.get('workloadName')?.text ?? 'the upgrader'),
    ];
  };
  return [{ file, delegate: upgraderConfigRoot(file) !== undefined, problems }];
}
