import type { YamlCursor } from '../edit/yaml-cursor.ts';
import { type KubernetesObject, podSpecOf, referenced } from './objects.ts';
import { secretText } from './secret-data.ts';
import type { Workload } from './workloads.ts';

/** Where a container's environment variable gets its value from. */
export type VariableSource =
  /** An entry of `env`; `value` is what the container sees, `$(NAME)` expanded. */
  | { readonly kind: 'literal'; readonly item: YamlCursor; readonly value: string | undefined }
  /** A key of a ConfigMap or Secret of this file, named by `env` (then `item` is that entry) or by `envFrom`. */
  | {
      readonly kind: 'key';
      readonly item: YamlCursor | undefined;
      readonly object: KubernetesObject;
      readonly field: 'data' | 'stringData';
      readonly key: string;
      readonly cursor: YamlCursor;
      readonly value: string | undefined;
    }
  /** A ConfigMap or Secret that is not in the file, or a key that is not in it. */
  | { readonly kind: 'outside'; readonly item: YamlCursor; readonly from: string; readonly key: string }
  /** `fieldRef` and the like. */
  | { readonly kind: 'other'; readonly item: YamlCursor }
  | { readonly kind: 'absent' };

/** The entries of `env` with a name; when there are several the last one counts. */
export function variableItems(container: YamlCursor, name: string): YamlCursor[] {
  return (container.get('env')?.items() ?? []).filter((item) => item.get('name')?.text === name);
}

export function resolveVariable(
  workload: Workload,
  name: string,
  objects: readonly KubernetesObject[],
): VariableSource {
  const item = variableItems(workload.container, name).at(-1);
  if (!item) return fromSources(workload, name, objects);
  const reference = item.get('valueFrom');
  if (!reference?.map) return { kind: 'literal', item, value: expanded(workload, item, objects) };
  for (const [field, kind] of [
    ['configMapKeyRef', 'ConfigMap'],
    ['secretKeyRef', 'Secret'],
  ] as const) {
    const found = reference.get(field);
    if (!found) continue;
    const key = found.get('key')?.text ?? '';
    const object = referenced(objects, kind, found.get('name')?.text, workload.object);
    const entry = object && entryOf(object, key);
    if (object && entry) return { kind: 'key', item, object, key, ...entry };
    return { kind: 'outside', item, from: `${kind} ${found.get('name')?.text ?? ''}`, key };
  }
  return { kind: 'other', item };
}

/** The ConfigMaps and Secrets that `envFrom` names and that are not in the file. */
export function sourcesOutside(
  workload: Workload,
  kind: 'ConfigMap' | 'Secret',
  objects: readonly KubernetesObject[],
): string[] {
  const field = kind === 'ConfigMap' ? 'configMapRef' : 'secretRef';
  return (workload.container.get('envFrom')?.items() ?? []).flatMap((source) => {
    const name = source.at(field, 'name')?.text;
    return name === undefined || referenced(objects, kind, name, workload.object) ? [] : [name];
  });
}

/** Every variable whose value the file tells. */
export function environmentOf(workload: Workload, objects: readonly KubernetesObject[]): Record<string, string> {
  const names = new Set<string>();
  for (const source of workload.container.get('envFrom')?.items() ?? []) {
    const prefix = source.get('prefix')?.text ?? '';
    for (const object of sourceObjects(source, workload, objects)) {
      for (const key of object.kind === 'Secret'
        ? secretText(object).keys()
        : (object.root.get('data')?.keys() ?? [])) {
        names.add(prefix + key);
      }
    }
  }
  for (const item of workload.container.get('env')?.items() ?? []) names.add(item.get('name')?.text ?? '');
  const environment: Record<string, string> = {};
  for (const name of names) {
    const source = resolveVariable(workload, name, objects);
    if ((source.kind === 'literal' || source.kind === 'key') && source.value !== undefined)
      environment[name] = source.value;
  }
  return environment;
}

/** Why a ConfigMap or Secret of the file is not changed: others would notice, or Kubernetes would refuse it. */
export function reasonToLeave(
  source: KubernetesObject,
  workload: Workload,
  objects: readonly KubernetesObject[],
): string | undefined {
  if (readByOthers(source, workload, objects)) return 'others read too';
  return source.root.get('immutable')?.json === true ? 'is immutable' : undefined;
}

/** Whether another pod, or another container of this pod, reads the same ConfigMap or Secret: changing it would change them. */
function readByOthers(source: KubernetesObject, workload: Workload, objects: readonly KubernetesObject[]): boolean {
  return objects.some((object) => {
    const spec = podSpecOf(object);
    if (!spec || !refersTo(source, object)) return false;
    if (object.root.node !== workload.object.root.node) return mentions(spec, source);
    const others = ['containers', 'initContainers'].flatMap((field) => spec.get(field)?.items() ?? []);
    return others.some((container) => container.node !== workload.container.node && mentions(container, source));
  });
}

function refersTo(source: KubernetesObject, user: KubernetesObject): boolean {
  return source.namespace === undefined || user.namespace === undefined || source.namespace === user.namespace;
}

const referring: Readonly<Record<string, readonly [kind: string, nameField: string]>> = {
  configMapRef: ['ConfigMap', 'name'],
  configMapKeyRef: ['ConfigMap', 'name'],
  configMap: ['ConfigMap', 'name'],
  secretRef: ['Secret', 'name'],
  secretKeyRef: ['Secret', 'name'],
  secret: ['Secret', 'secretName'],
};
const referencesOf = new WeakMap<YamlCursor['node'], ReadonlySet<string>>();

/** Whether something below a place refers to a ConfigMap or Secret, as environment or as a volume. */
export function mentions(place: YamlCursor, source: KubernetesObject): boolean {
  // Looked through once: every Secret of the file is asked about against every pod.
  const found = referencesOf.get(place.node) ?? new Set(referencesIn(place.node.toJS(place.part.document)));
  referencesOf.set(place.node, found);
  return found.has(`${source.kind} ${source.name}`);
}

function* referencesIn(value: unknown): Generator<string> {
  if (!value || typeof value !== 'object') return;
  for (const [key, inner] of Object.entries(value)) {
    const [kind, field] = (Object.hasOwn(referring, key) && referring[key]) || [];
    const name: unknown = field && (inner as Record<string, unknown> | null)?.[field];
    if (typeof name === 'string') yield `${kind} ${name}`;
    yield* referencesIn(inner);
  }
}

function fromSources(workload: Workload, name: string, objects: readonly KubernetesObject[]): VariableSource {
  // Of several sources with the same key the last one wins.
  for (const source of (workload.container.get('envFrom')?.items() ?? []).toReversed()) {
    const prefix = source.get('prefix')?.text ?? '';
    if (!name.startsWith(prefix)) continue;
    const key = name.slice(prefix.length);
    for (const object of sourceObjects(source, workload, objects)) {
      const entry = entryOf(object, key);
      if (entry) return { kind: 'key', item: undefined, object, key, ...entry };
    }
  }
  return { kind: 'absent' };
}

function sourceObjects(
  source: YamlCursor,
  workload: Workload,
  objects: readonly KubernetesObject[],
): KubernetesObject[] {
  const map = referenced(objects, 'ConfigMap', source.at('configMapRef', 'name')?.text, workload.object);
  const secret = referenced(objects, 'Secret', source.at('secretRef', 'name')?.text, workload.object);
  return [map, secret].filter((object) => object !== undefined);
}

function entryOf(object: KubernetesObject, key: string) {
  if (object.kind === 'Secret') return secretText(object).get(key);
  const cursor = object.root.at('data', key);
  return cursor && { field: 'data' as const, cursor, value: cursor.text };
}

/** `$(NAME)` in a value stands for a variable defined before it. */
function expanded(workload: Workload, item: YamlCursor, objects: readonly KubernetesObject[]): string | undefined {
  const text = item.get('value')?.text;
  const index = item.link.kind === 'item' ? item.link.index : 0;
  return text?.replaceAll(/\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)/g, (whole, name: string) => {
    const source = resolveVariable(workload, name, objects);
    if (source.kind === 'literal') {
      const before = source.item.link.kind === 'item' && source.item.link.index < index;
      return before && source.value !== undefined ? source.value : whole;
    }
    return source.kind === 'key' && source.value !== undefined ? source.value : whole;
  });
}
