import { inOrder, type Rule, type Stage } from '../edit/settle.ts';
import type { Problem } from '../finding.ts';
import { upgraderConfigRules } from '../upgrader-config/config-rules.ts';
import { duplicateKeys } from './rules/duplicate-keys.ts';
import { misplacedLists } from './rules/misplaced-lists.ts';
import { secretRules } from './rules/secret-rules.ts';
import { upgraderVariableRules, variableRules } from './rules/variable-rules.ts';
import { delegateVolumes, upgraderVolumes } from './rules/volume-rules.ts';
import type { KubernetesScene } from './scene.ts';

/** The way of a Kubernetes manifest to mTLS, in the order in which it is taken: what stands wrong first, then the Secret, then all that names it. */
export const kubernetesStages: readonly Stage<KubernetesScene>[] = [
  ...inOrder([duplicateKeys, misplacedLists, secretRules]),
  { rules: [variableRules, delegateVolumes, upgraderVariableRules, upgraderVolumes, upgraderConfigs], ordered: true },
];

export const kubernetesRules: readonly Rule<KubernetesScene>[] = kubernetesStages.flatMap(({ rules }) => rules);

function* upgraderConfigs(scene: KubernetesScene): Iterable<Problem> {
  for (const { root } of scene.upgrader.configs) if (root) yield* upgraderConfigRules(root, scene.target.endpoint);
}
