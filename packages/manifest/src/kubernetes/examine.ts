import type { CheckContext, Examination } from '../check/examination.ts';
import { contextEndpoint, managerFault, plainInStrict, reported } from '../check/examination.ts';
import type { EditableText } from '../edit/editable-text.ts';
import { at } from '../edit/repair.ts';
import { YamlCursor } from '../edit/yaml-cursor.ts';
import { YamlFile } from '../edit/yaml-file.ts';
import type { Problem } from '../finding.ts';
import { duplicatesIn, yamlFaults } from '../yaml-refusals.ts';
import { mtlsBegun } from './begun.ts';
import { objectsOf } from './objects.ts';
import { sameDelegate } from './refusals.ts';
import { advice } from './rules/advice.ts';
import { certificateContent } from './rules/certificate-content.ts';
import { containerContent } from './rules/container-content.ts';
import { obstacles } from './rules/obstacles.ts';
import { isManagerUrl } from './rules/variable-rules.ts';
import { kubernetesRules } from './rules.ts';
import { type KubernetesScene, sceneOf } from './scene.ts';
import { resolveVariable } from './variables.ts';
import { delegatesOf } from './workloads.ts';

/** Every delegate of the file, and the file itself. */
export function examineKubernetes(source: EditableText, context: CheckContext): Examination[] {
  const file = new YamlFile(source);
  const whole: Examination = {
    file,
    delegate: false,
    problems: () => [
      ...yamlFaults(file),
      ...duplicateKeys(file),
      ...certificateContent(objectsOf(file), context.inspector),
    ],
  };
  if (file.parts.some((part) => part.fault)) return [whole];
  const delegates = delegatesOf(objectsOf(file)).map((delegate) => ({
    file,
    delegate: true,
    problems: () => delegateProblems(file, sameDelegate(delegate), context),
  }));
  return [whole, ...delegates];
}

function delegateProblems(file: YamlFile, choose: Parameters<typeof sceneOf>[1], context: CheckContext): Problem[] {
  const first = sceneOf(file, choose, {
    endpoint: undefined,
    credentials: undefined,
    secretName: undefined,
    continuousIntegration: false,
  });
  if (!first) return [];
  const begun = mtlsBegun(first);
  const endpoint = contextEndpoint(context, managerValue(first) ?? renamedManager(first));
  const scene = { ...first, target: { ...first.target, endpoint } };
  const manager = resolveVariable(scene.delegate, 'MANAGER_HOST_AND_PORT', scene.objects);
  const place = at(
    manager.kind === 'key'
      ? manager.cursor
      : manager.kind === 'absent'
        ? scene.delegate.container
        : (manager.item.get('value') ?? manager.item),
  );
  return [
    ...reported(
      kubernetesRules.flatMap((rule) => [...rule(scene)]),
      begun,
    ),
    ...obstacles(scene, begun || context.mode === 'STRICT'),
    ...containerContent(scene),
    ...managerFault(managerValue(scene), place, begun),
    ...plainInStrict(context, begun, place, scene.delegate.object.name),
    ...advice(scene),
  ];
}

function managerValue({ delegate, objects }: KubernetesScene): string | undefined {
  const source = resolveVariable(delegate, 'MANAGER_HOST_AND_PORT', objects);
  return source.kind === 'literal' || source.kind === 'key' ? source.value : undefined;
}

/** The URL that stands where the name MANAGER_HOST_AND_PORT should. */
function renamedManager({ delegate }: KubernetesScene): string | undefined {
  const names = (delegate.container.get('env')?.items() ?? []).map((item) => item.get('name')?.text);
  return names.find(isManagerUrl);
}

function* duplicateKeys(file: YamlFile): Iterable<Problem> {
  for (const part of file.parts) {
    const root = YamlCursor.root(part);
    if (root) yield* duplicatesBelow(root);
  }
}

function* duplicatesBelow(cursor: YamlCursor): Iterable<Problem> {
  if (cursor.alias) return;
  for (const [key, , second] of duplicatesIn(cursor)) {
    yield {
      code: 'DUPLICATE_KEY',
      at: at(second),
      message: `The key "${key}" stands twice in one map: parsers refuse that, or keep only the last one.`,
      remedy: 'Join both into one.',
    };
  }
  for (const child of cursor.map ? cursor.entries() : cursor.items()) yield* duplicatesBelow(child);
}
