import { nestedPart } from '../edit/nested-yaml.ts';
import { YamlCursor } from '../edit/yaml-cursor.ts';
import type { YamlFile } from '../edit/yaml-file.ts';
import type { YamlPart } from '../edit/yaml-part.ts';

/** An object of a Kubernetes manifest: a document of its own, an item of a `List`, or a patch inside a kustomization. */
export interface KubernetesObject {
  readonly kind: string;
  readonly name: string;
  readonly namespace: string | undefined;
  readonly root: YamlCursor;
  readonly part: YamlPart;
  /** It stands in a kustomization and changes an object that stands elsewhere. */
  readonly inlinePatch: boolean;
  /** It stands in a list of one kind (`DeploymentList`), which takes no other. */
  readonly typedList: boolean;
}

// As long as the text does not change, so do neither its parts nor its objects: each delegate asks for all of them.
const known = new WeakMap<readonly YamlPart[], readonly KubernetesObject[]>();

export function objectsOf(file: YamlFile): readonly KubernetesObject[] {
  const { parts } = file;
  const found =
    known.get(parts) ??
    parts.flatMap((part) => {
      const root = YamlCursor.root(part);
      return root ? objectsIn(root, false) : [];
    });
  known.set(parts, found);
  return found;
}

/** The items of a `DeploymentList` need not say what they are. */
function objectsIn(root: YamlCursor, inlinePatch: boolean, listed?: string): KubernetesObject[] {
  const kind = root.get('kind')?.text ?? listed;
  if (kind === undefined || !root.map) return [];
  const items = kind.endsWith('List') ? root.get('items') : undefined;
  const kindOfItems = kind.slice(0, -'List'.length) || undefined;
  if (items?.seq) return items.items().flatMap((item) => objectsIn(item, inlinePatch, kindOfItems));
  if (kind === 'Kustomization') return inlinePatches(root).flatMap(patchesIn);
  const metadata = root.get('metadata');
  return [
    {
      kind,
      name: metadata?.get('name')?.text ?? '',
      namespace: metadata?.get('namespace')?.text,
      root,
      part: root.part,
      inlinePatch,
      typedList: listed !== undefined,
    },
  ];
}

function patchesIn(patch: YamlCursor): KubernetesObject[] {
  const part = nestedPart(patch);
  const root = part && !part.fault ? YamlCursor.root(part) : undefined;
  return root ? objectsIn(root, true) : [];
}

/** The patches that stand in a kustomization itself: strategic merge patches, and JSON 6902 ones, which hold no object. */
export function inlinePatches(kustomization: YamlCursor): YamlCursor[] {
  const patches = (kustomization.get('patches')?.items() ?? []).map((patch) => patch.get('patch'));
  const merges = kustomization.get('patchesStrategicMerge')?.items() ?? [];
  return [...patches, ...merges].filter((patch) => patch?.text?.includes('\n')).flatMap((patch) => patch ?? []);
}

const podPaths: Readonly<Record<string, readonly string[]>> = {
  Deployment: ['spec', 'template', 'spec'],
  StatefulSet: ['spec', 'template', 'spec'],
  DaemonSet: ['spec', 'template', 'spec'],
  ReplicaSet: ['spec', 'template', 'spec'],
  Job: ['spec', 'template', 'spec'],
  CronJob: ['spec', 'jobTemplate', 'spec', 'template', 'spec'],
  Pod: ['spec'],
};

/** The pod spec of a workload. */
export function podSpecOf(object: KubernetesObject): YamlCursor | undefined {
  const path = podPaths[object.kind];
  return path && object.root.at(...path);
}

/** True when two objects can see each other: in one namespace, or one of them leaves it to `kubectl -n`. */
export function sameNamespace(a: KubernetesObject, b: KubernetesObject): boolean {
  return a.namespace === undefined || b.namespace === undefined || a.namespace === b.namespace;
}

/** The one object of a kind and name that another object refers to. */
export function referenced(
  objects: readonly KubernetesObject[],
  kind: string,
  name: string | undefined,
  from: KubernetesObject,
): KubernetesObject | undefined {
  return objects.findLast((object) => object.kind === kind && object.name === name && sameNamespace(object, from));
}
