import { inMountDirectory } from '../container-path.ts';
import { delegateWishes } from '../delegate-variables.ts';
import type { YamlCursor } from '../edit/yaml-cursor.ts';
import type { KubernetesObject } from './objects.ts';
import type { KubernetesScene } from './scene.ts';
import { reasonToLeave, resolveVariable } from './variables.ts';
import type { Workload } from './workloads.ts';

type Plain = null | string | number | boolean | Plain[] | { [key: string]: Plain };
type PlainMap = { [key: string]: Plain };

/** What of an object a migration has no business with, as text to compare. */
export interface Untouched {
  readonly object: KubernetesObject;
  readonly text: string;
}

/**
 * The objects without what a migration may change: without the certificate's Secret, the delegate's managed variables,
 * mounts and volumes, the upgrader's managed keys. Equal before and after, or the migration is wrong.
 */
export function untouched(scene: KubernetesScene, secretNames: ReadonlySet<string>): Untouched[] {
  const workloads = [scene.delegate, ...scene.upgrader.jobs];
  return scene.objects.flatMap((object) => {
    const value = plain(object.root);
    if (!isMap(value)) return [{ object, text: stable(value) }];
    if (object.kind === 'Secret' && isCertificateOnly(value, scene, object, secretNames)) return [];
    if (object.kind === 'Secret' || object.kind === 'ConfigMap') withoutManagedKeys(value, scene, object);
    const workload = workloads.find((each) => each.object.root.node === object.root.node);
    if (workload) withoutManagedParts(value, workload, scene, secretNames);
    return [{ object, text: stable(value) }];
  });
}

/** The first object that differs; undefined when all that should be is untouched. */
export function firstTouched(before: readonly Untouched[], after: readonly Untouched[]): KubernetesObject | undefined {
  const length = Math.max(before.length, after.length);
  const index = Array.from({ length }, (_, at) => at).find((at) => before[at]?.text !== after[at]?.text);
  return index === undefined ? undefined : (after[index] ?? before[index])?.object;
}

function isCertificateOnly(
  value: PlainMap,
  scene: KubernetesScene,
  object: KubernetesObject,
  names: ReadonlySet<string>,
): boolean {
  const keys = [value['data'], value['stringData']].flatMap((map) => (isMap(map) ? Object.keys(map) : []));
  const certificate = new Set([scene.secret.certificateKey, scene.secret.privateKey, 'client.crt', 'client.key']);
  return names.has(object.name) && keys.length > 0 && keys.every((key) => certificate.has(key));
}

function withoutManagedKeys(value: PlainMap, scene: KubernetesScene, object: KubernetesObject): void {
  const managed = managedKeys(scene, object);
  for (const field of ['data', 'stringData']) {
    const map = value[field];
    if (!isMap(map)) continue;
    for (const key of Object.keys(map)) if (managed.has(key)) delete map[key];
    for (const config of scene.upgrader.configs) {
      const key = config.holder.link.kind === 'pair' ? config.holder.link.key : '';
      if (config.object.root.node !== object.root.node || !config.root) continue;
      const inner = plain(config.root);
      if (!isMap(inner)) continue;
      for (const each of [inner, inner['delegateConfig']]) {
        if (!isMap(each)) continue;
        for (const name of ['clientCertificateFilePath', 'clientCertificateKeyFilePath', 'managerHost'])
          delete each[name];
      }
      map[key] = inner;
    }
    if (Object.keys(map).length === 0) delete value[field];
  }
}

/** The keys of a ConfigMap or Secret that feed managed variables, and the certificate's where it stands with a token. */
function managedKeys(scene: KubernetesScene, object: KubernetesObject): Set<string> {
  const mixed = scene.secret.mixed.some((each) => each.root.node === object.root.node);
  const keys = new Set(mixed ? ['client.crt', 'client.key', scene.secret.certificateKey, scene.secret.privateKey] : []);
  for (const workload of [scene.delegate, ...scene.upgrader.jobs]) {
    for (const { name } of delegateWishes(scene.target)) {
      const source = resolveVariable(workload, name, scene.objects);
      if (source.kind !== 'key' || source.object.root.node !== object.root.node) continue;
      if (reasonToLeave(object, workload, scene.objects) === undefined) keys.add(source.key);
    }
  }
  return keys;
}

function withoutManagedParts(
  value: PlainMap,
  workload: Workload,
  scene: KubernetesScene,
  secretNames: ReadonlySet<string>,
): void {
  const spec = podSpec(value);
  if (!spec) return;
  const containers = Array.isArray(spec['containers']) ? spec['containers'].filter(isMap) : [];
  const container = containers.find((each) => String(each['name'] ?? '') === workload.containerName);
  const outer = outsideOfTemplate(value);
  const owners = [spec, ...(container ? [container] : []), ...(outer && outer !== spec ? [outer] : [])];
  const mounts = new Set<string>();
  const managed = new Set(delegateWishes(scene.target).map((wish) => wish.name));
  for (const owner of owners) {
    list(owner, 'volumeMounts', (mount) => {
      const ours = inMountDirectory(String(mount['mountPath'] ?? ''));
      if (ours) mounts.add(String(mount['name'] ?? ''));
      return !ours;
    });
    list(owner, 'env', (item) => !managed.has(String(item['name'])) && !/^https?:\/\//.test(String(item['name'])));
  }
  moveIntoContainer(owners, container);
  const volumes: Plain[] = [];
  for (const owner of owners) {
    list(owner, 'volumes', (volume) => {
      const secret = isMap(volume['secret']) ? volume['secret']['secretName'] : undefined;
      const ours = mounts.has(String(volume['name'] ?? '')) || (typeof secret === 'string' && secretNames.has(secret));
      if (!ours && !volumes.some((known) => stable(known) === stable(volume))) volumes.push(volume);
      return false;
    });
  }
  spec['volumes'] = volumes;
}

/** Mounts that stand outside the container count as the container's: the migration moves them there. */
function moveIntoContainer(owners: readonly PlainMap[], container: PlainMap | undefined): void {
  if (!container) return;
  const all = new Map<string, Plain>();
  for (const owner of [container, ...owners.filter((each) => each !== container)]) {
    const mounts = owner['volumeMounts'];
    if (!Array.isArray(mounts)) continue;
    for (const mount of mounts) all.set(stable(mount), mount);
    delete owner['volumeMounts'];
  }
  if (all.size > 0) container['volumeMounts'] = [...all.values()];
}

/** The spec that holds the pod's template: where instructions have volumes put by mistake. */
function outsideOfTemplate(value: PlainMap): PlainMap | undefined {
  const spec = value['spec'];
  const job = isMap(spec) && isMap(spec['jobTemplate']) ? spec['jobTemplate']['spec'] : undefined;
  return isMap(job) ? job : isMap(spec) ? spec : undefined;
}

function podSpec(value: PlainMap): PlainMap | undefined {
  for (const path of [['spec', 'jobTemplate', 'spec', 'template', 'spec'], ['spec', 'template', 'spec'], ['spec']]) {
    let at: Plain | undefined = value;
    for (const key of path) at = isMap(at) ? at[key] : undefined;
    if (isMap(at)) return at;
  }
  return undefined;
}

/** Keeps the items of a list for which `keep` holds, once each; an empty list counts as none. */
function list(owner: PlainMap, key: string, keep: (item: PlainMap) => boolean): void {
  const items = owner[key];
  if (items === null) delete owner[key];
  if (!Array.isArray(items)) return;
  const kept = new Map(items.filter((item) => !isMap(item) || keep(item)).map((item) => [stable(item), item]));
  if (kept.size > 0) owner[key] = [...kept.values()];
  else delete owner[key];
}

/** A place as plain data. Where a key stands twice with lists, both count: the migration joins them. */
function plain(cursor: YamlCursor): Plain {
  if (cursor.seq) return cursor.items().map(plain);
  if (!cursor.map) return cursor.json as Plain;
  const result: PlainMap = {};
  for (const key of cursor.keys()) {
    const written = cursor.pairs(key);
    const values = written.length > 1 ? written.map(plain) : [];
    if (values.length > 1 && values.every((each) => Array.isArray(each) || each === null)) {
      result[key] = values.flatMap((each) => (Array.isArray(each) ? each : []));
      continue;
    }
    const value = cursor.get(key);
    if (value) result[key] = plain(value);
  }
  return result;
}

function isMap(value: Plain | undefined): value is PlainMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function stable(value: Plain): string {
  if (Array.isArray(value)) return `[${value.map(stable).join(',')}]`;
  if (!isMap(value)) return JSON.stringify(value);
  const keys = Object.keys(value).sort();
  return `{${keys.map((key) => `${JSON.stringify(key)}:${stable(value[key] ?? null)}`).join(',')}}`;
}
