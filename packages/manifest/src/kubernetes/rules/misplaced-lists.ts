import { at, repairAt } from '../../edit/repair.ts';
import { writtenLines } from '../../edit/shared-nodes.ts';
import type { PartEdit } from '../../edit/text-part.ts';
import type { YamlCursor } from '../../edit/yaml-cursor.ts';
import { addItem, addPair, addWrittenItems, addWrittenPair, inFlow, removePair } from '../../edit/yaml-edits.ts';
import { blockStyle } from '../../edit/yaml-layout.ts';
import type { Problem } from '../../finding.ts';
import type { KubernetesScene } from '../scene.ts';

/**
 * The instructions put both volumeMounts and volumes "under containers". Volumes belong to the pod, mounts to the
 * container; elsewhere they are unknown fields, which strict validation refuses and lax validation drops.
 */
export function* misplacedLists(scene: KubernetesScene): Iterable<Problem> {
  for (const { container, podSpec } of [scene.delegate, ...scene.upgrader.jobs]) {
    const templateSpec = podSpec.parent?.parent;
    yield* misplaced('volumes', container, podSpec, 'the container', 'the pod spec');
    yield* misplaced('volumeMounts', podSpec, container, 'the pod spec', 'the container');
    if (templateSpec?.map && templateSpec.node !== podSpec.node) {
      yield* misplaced('volumes', templateSpec, podSpec, 'the spec of the workload', 'the pod spec');
      yield* misplaced('volumeMounts', templateSpec, container, 'the spec of the workload', 'the container');
    }
  }
}

function* misplaced(key: string, from: YamlCursor, to: YamlCursor, wrong: string, right: string): Iterable<Problem> {
  const list = from.pairs(key).at(-1);
  if (!list) return;
  yield {
    code: 'MISPLACED_LIST',
    at: at(list),
    message: `"${key}" stands in ${wrong}, where Kubernetes does not read it.`,
    remedy: `Move it into ${right}.`,
    repair: repairAt([list, to.get(key) ?? to], `moved "${key}" from ${wrong} into ${right}`, () =>
      move(key, list, to),
    ),
  };
}

function move(key: string, list: YamlCursor, to: YamlCursor): PartEdit[] {
  const present = to.get(key);
  const items = list.items();
  if (items.length === 0) return [removePair(list)];
  const written = !list.flow && !inFlow(list) && items.every((item) => item.map && !item.alias);
  const blocks = items.map((item) =>
    writtenLines(item.part, item.node).map((line, index) => (index === 0 ? `- ${line}` : line && `  ${line}`)),
  );
  if (present && !present.empty) {
    const known = new Set(present.items().map((item) => JSON.stringify(item.json)));
    const missing = items
      .map((item, index) => ({ item, block: blocks[index] ?? [] }))
      .filter(({ item }) => !known.has(JSON.stringify(item.json)));
    const additions = missing.map(({ item, block }) =>
      written && !present.flow ? addWrittenItems(present, block) : addItem(present, item.json),
    );
    return [...additions, removePair(list)];
  }
  if (present) return [...items.slice(0, 1).map(() => addItem(present, items[0]?.json)), ...removeFirst(list, items)];
  const added = written
    ? addWrittenPair(to, key, blocks.flat(), blockStyle(to).indentSequences)
    : addPair(to, key, list.json);
  return [added, removePair(list)];
}

/** An empty `volumes:` takes one item at a time; the next look finds it filled. */
function removeFirst(list: YamlCursor, items: readonly YamlCursor[]): PartEdit[] {
  return items.length === 1 ? [removePair(list)] : [];
}
