import { YamlCursor } from '../edit/yaml-cursor.ts';
import type { YamlFile } from '../edit/yaml-file.ts';
import type { YamlPart } from '../edit/yaml-part.ts';

/** An object of a Kubernetes manifest: a document of its own, or an item of a `List`. */
export interface KubernetesObject {
  readonly kind: string;
  readonly name: string;
  readonly namespace: string | undefined;
  readonly root: YamlCursor;
  readonly part: YamlPart;
}

export function objectsOf(file: YamlFile): KubernetesObject[] {
  return file.parts.flatMap((part) => {
    const root = YamlCursor.root(part);
    return root ? objectsIn(root) : [];
  });
}

function objectsIn(root: YamlCursor): KubernetesObject[] {
  const kind = root.get('kind')?.text;
  if (kind === undefined || !root.map) return [];
  const items = kind.endsWith('List') ? root.get('items') : undefined;
  if (items?.seq) return items.items().flatMap(objectsIn);
  const metadata = root.get('metadata');
  return [
    {
      kind,
      name: metadata?.get('name')?.text ?? '',
      namespace: metadata?.get('namespace')?.text,
      root,
      part: root.part,
    },
  ];
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
