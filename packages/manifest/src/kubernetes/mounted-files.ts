import type { YamlCursor } from '../edit/yaml-cursor.ts';
import { mountPath, mountsOf, volumeNamed } from './certificate-volume.ts';
import { type KubernetesObject, referenced } from './objects.ts';
import { secretText } from './secret-data.ts';
import type { Workload } from './workloads.ts';

export interface MountedFile {
  readonly path: string;
  /** Undefined when the Secret or ConfigMap is not in the file. */
  readonly content: string | undefined;
}

/** The files that a container finds in Secret and ConfigMap volumes, as far as the manifest tells. */
export function mountedFiles(workload: Workload, objects: readonly KubernetesObject[]): MountedFile[] {
  return mountsOf(workload.container).flatMap((mount) => {
    const volume = volumeNamed(workload.podSpec, mount.get('name')?.text);
    const content = volume && contentOf(volume, workload.object, objects);
    const subPath = mount.get('subPath')?.text;
    const directory = mountPath(mount);
    const files = [...(content ?? [])].map(([name, text]) => ({ path: `${directory}/${name}`, content: text }));
    if (subPath === undefined) return files;
    return files
      .filter((file) => file.path === `${directory}/${subPath}`)
      .map((file) => ({ ...file, path: directory }));
  });
}

function contentOf(
  volume: YamlCursor,
  from: KubernetesObject,
  objects: readonly KubernetesObject[],
): Map<string, string | undefined> | undefined {
  const secretName = volume.at('secret', 'secretName')?.text;
  const mapName = volume.at('configMap', 'name')?.text;
  const items = (volume.at('secret', 'items') ?? volume.at('configMap', 'items'))?.items();
  const all = new Map<string, string | undefined>();
  const secret = referenced(objects, 'Secret', secretName, from);
  for (const [key, entry] of secret ? secretText(secret) : []) all.set(key, entry.value);
  for (const entry of referenced(objects, 'ConfigMap', mapName, from)?.root.get('data')?.entries() ?? []) {
    if (entry.link.kind === 'pair') all.set(entry.link.key, entry.text);
  }
  if (!items) return all;
  return new Map(items.map((item) => [item.get('path')?.text ?? '', all.get(item.get('key')?.text ?? '')]));
}
