import { containerPath, inMountDirectory } from '../container-path.ts';
import { certificateFile, keyFile } from '../delegate-variables.ts';
import type { YamlCursor } from '../edit/yaml-cursor.ts';

export const volumeName = 'client-certificate';

/** A pod as far as its certificate goes: the pod of the delegate or of its upgrader. */
export interface CertificatePod {
  readonly podSpec: YamlCursor;
  readonly container: YamlCursor;
}

export function mountsOf(container: YamlCursor): YamlCursor[] {
  return container.get('volumeMounts')?.items() ?? [];
}

export function volumesOf(podSpec: YamlCursor): YamlCursor[] {
  return podSpec.get('volumes')?.items() ?? [];
}

/** A mount's path, as the container runtime resolves it. */
export function mountPath(mount: YamlCursor): string {
  return containerPath(mount.get('mountPath')?.text ?? '');
}

/** The mounts at /etc/mtls and below. */
export function certificateMounts(container: YamlCursor): YamlCursor[] {
  return mountsOf(container).filter((mount) => inMountDirectory(mountPath(mount)));
}

export function volumeNamed(podSpec: YamlCursor, name: string | undefined): YamlCursor | undefined {
  return name === undefined ? undefined : volumesOf(podSpec).find((volume) => volume.get('name')?.text === name);
}

/** The names that mounts of any container of the pod use. */
export function mountedNames(podSpec: YamlCursor): Set<string> {
  const containers = ['containers', 'initContainers', 'ephemeralContainers'].flatMap(
    (field) => podSpec.get(field)?.items() ?? [],
  );
  return new Set(containers.flatMap((container) => mountsOf(container).map((mount) => mount.get('name')?.text ?? '')));
}

/**
 * The volume that carries the certificate: the one mounted at /etc/mtls; failing that, a Secret volume that nothing
 * mounts and that is there for the purpose, which is how half-followed instructions leave it.
 */
export function certificateVolume(pod: CertificatePod, secretName: string | undefined): YamlCursor | undefined {
  const mount = certificateMounts(pod.container)[0];
  return volumeNamed(pod.podSpec, mount?.get('name')?.text) ?? strayVolume(pod, secretName, mount !== undefined);
}

/** With a mount waiting for its volume, any unmounted certificate volume is meant; without one, only what is named for mTLS. */
export function strayVolume(
  pod: CertificatePod,
  secretName: string | undefined,
  mountWaits: boolean,
): YamlCursor | undefined {
  const taken = mountedNames(pod.podSpec);
  const free = volumesOf(pod.podSpec).filter(
    (volume) => volume.get('secret')?.map && !taken.has(volume.get('name')?.text ?? ''),
  );
  const bySecret = free.find(
    (volume) => secretName !== undefined && volume.at('secret', 'secretName')?.text === secretName,
  );
  const purpose = mountWaits ? /cert|mtls/i : /^(?:mtls-)?(?:client|config)-certificate$/;
  return bySecret ?? free.find((volume) => purpose.test(volume.get('name')?.text ?? ''));
}

/** Which keys of the Secret become client.crt and client.key: `items` may rename them. */
export function projectedKeys(volume: YamlCursor | undefined): {
  certificate: string | undefined;
  key: string | undefined;
} {
  const items = volume?.at('secret', 'items');
  if (!items?.seq) return { certificate: certificateFile, key: keyFile };
  const keyOf = (path: string) =>
    items
      .items()
      .find((item) => item.get('path')?.text === path)
      ?.get('key')?.text;
  return { certificate: keyOf(certificateFile), key: keyOf(keyFile) };
}
