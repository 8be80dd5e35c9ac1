import { at, repairAt } from '../../edit/repair.ts';
import { writtenLines } from '../../edit/shared-nodes.ts';
import type { PartEdit } from '../../edit/text-part.ts';
import type { YamlCursor } from '../../edit/yaml-cursor.ts';
import { addItem, addWrittenItems, removePair } from '../../edit/yaml-edits.ts';
import type { Problem } from '../../finding.ts';
import { duplicatesIn } from '../../yaml-refusals.ts';
import type { KubernetesScene } from '../scene.ts';

/** Lists that Kubernetes identifies by a field: two of them can be joined without guessing. */
const joinable: Readonly<Record<string, string>> = {
  env: 'name',
  envFrom: '',
  volumeMounts: 'mountPath',
  volumes: 'name',
};

/**
 * Instructions that say "add volumes:" make a second key where one exists already. Parsers then refuse the file or keep
 * only the last one, so that the first list silently disappears: join them.
 */
export function* duplicateKeys(scene: KubernetesScene): Iterable<Problem> {
  for (const map of managedMaps(scene)) {
    for (const [key, first, second] of duplicatesIn(map)) {
      const joined = join(key, first, second);
      yield {
        code: 'DUPLICATE_KEY',
        at: at(second),
        message: `The key "${key}" stands twice in one map: parsers refuse that, or keep only the last one.`,
        remedy: joined ? 'Join both into one.' : 'Decide which of the two counts and remove the other.',
        ...(joined && { repair: repairAt([first, second], `joined the two "${key}" keys`, () => joined) }),
      };
    }
  }
}

/** The edits that join two values, or undefined where somebody has to choose. */
function join(key: string, first: YamlCursor, second: YamlCursor): PartEdit[] | undefined {
  if (second.empty || same(first.json, second.json)) return [removePair(second)];
  const field = joinable[key];
  if (field === undefined || !first.seq || !second.seq) return undefined;
  const kept = new Map(first.items().map((item) => [identity(item, field), item.json]));
  const added: YamlCursor[] = [];
  for (const item of second.items()) {
    const known = kept.get(identity(item, field));
    if (known === undefined) added.push(item);
    else if (!same(known, item.json)) return undefined;
  }
  if (first.items().length === 0) return undefined;
  const additions = added.map((item) => addition(first, item));
  return [...additions, removePair(second)];
}

function addition(list: YamlCursor, item: YamlCursor): PartEdit {
  if (list.flow || item.flow || item.alias || !item.map) return addItem(list, item.json);
  const lines = writtenLines(item.part, item.node);
  return addWrittenItems(
    list,
    lines.map((line, index) => (index === 0 ? `- ${line}` : line && `  ${line}`)),
  );
}

function identity(item: YamlCursor, field: string): string {
  return field === '' ? JSON.stringify(item.json) : (item.get(field)?.text ?? '');
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** The maps that a migration reads or writes. */
function* managedMaps(scene: KubernetesScene): Iterable<YamlCursor> {
  const seen = new Set<unknown>();
  const places = [
    ...[scene.delegate, ...scene.upgrader.jobs].flatMap(({ container, podSpec }) => [
      ...podSpec.chain(),
      ...container.chain(),
    ]),
    ...scene.upgrader.configs.flatMap((config) => [
      ...config.holder.chain(),
      config.root,
      config.root?.get('delegateConfig'),
    ]),
    ...(scene.secret.object ? [scene.secret.object.root, scene.secret.object.root.get('data')] : []),
  ];
  for (const place of places) {
    for (const map of [place, ...(place?.items() ?? [])]) {
      if (!map?.map || seen.has(map.node)) continue;
      seen.add(map.node);
      yield map;
    }
  }
}
