import { mountDirectory } from '../../delegate-variables.ts';
import { at, repairAt } from '../../edit/repair.ts';
import type { PartEdit } from '../../edit/text-part.ts';
import type { YamlCursor } from '../../edit/yaml-cursor.ts';
import { addItem, addPair, removeItem, removePair, setScalar } from '../../edit/yaml-edits.ts';
import type { Problem } from '../../finding.ts';
import {
  type CertificatePod,
  certificateMounts,
  certificateVolume,
  mountPath,
  mountsOf,
  projectedKeys,
  strayVolume,
  volumeName,
  volumeNamed,
  volumesOf,
} from '../certificate-volume.ts';
import { fileMode } from '../file-mode.ts';
import type { KubernetesScene } from '../scene.ts';
import { fileModes } from './file-mode-rules.ts';

/** Volume and mount of the certificate, in the delegate's pod. */
export function delegateVolumes({ delegate, secret }: KubernetesScene): Iterable<Problem> {
  return volumesIn(delegate, secret.name);
}

/** The same in its upgrader's. */
export function* upgraderVolumes({ upgrader, secret }: KubernetesScene): Iterable<Problem> {
  for (const job of upgrader.jobs) yield* volumesIn(job, secret.name);
}

function* volumesIn(pod: CertificatePod, secretName: string | undefined): Iterable<Problem> {
  yield* strayFields(pod);
  yield* doubledMounts(pod);
  yield* doubledVolumes(pod);
  yield* volume(pod, secretName);
  yield* mount(pod, secretName);
}

const mountFields = new Set([
  'name',
  'mountPath',
  'readOnly',
  'recursiveReadOnly',
  'subPath',
  'subPathExpr',
  'mountPropagation',
]);

/** The instructions carry a stray `value:` into the mount; strict validation refuses the whole manifest for it. */
function* strayFields({ container }: CertificatePod): Iterable<Problem> {
  for (const each of mountsOf(container)) {
    for (const field of each.entries()) {
      const key = field.link.kind === 'pair' ? field.link.key : '';
      if (mountFields.has(key)) continue;
      const ours = key === 'value' && mountPath(each) === mountDirectory;
      yield {
        code: 'MOUNT_UNKNOWN_FIELD',
        at: at(field),
        message: `A volume mount has no field "${key}"; strict validation refuses it.`,
        remedy: `Remove "${key}".`,
        ...(ours && {
          repair: repairAt(field, `removed the stray "${key}" from the mount of ${mountDirectory}`, () => [
            removePair(field),
          ]),
        }),
      };
    }
  }
}

function* doubledMounts({ container, podSpec }: CertificatePod): Iterable<Problem> {
  const mounts = certificateMounts(container).filter((each) => mountPath(each) === mountDirectory);
  const kept = mounts.find((each) => volumeNamed(podSpec, each.get('name')?.text)) ?? mounts[0];
  for (const each of mounts) {
    if (each.node === kept?.node) continue;
    yield {
      code: 'DUPLICATE_MOUNT',
      at: at(each),
      message: `${mountDirectory} is mounted twice in one container, and Kubernetes refuses that.`,
      remedy: 'Keep one of the mounts.',
      repair: repairAt(each, `removed the second mount of ${mountDirectory}`, () => [removeItem(each)]),
    };
  }
}

function* doubledVolumes({ container, podSpec }: CertificatePod): Iterable<Problem> {
  const name = certificateMounts(container)[0]?.get('name')?.text ?? volumeName;
  const same = volumesOf(podSpec).filter((each) => each.get('name')?.text === name);
  for (const each of same.slice(1)) {
    const json = JSON.stringify(each.json);
    const expendable =
      JSON.stringify(same[0]?.json) === json || (same[0]?.get('secret')?.map && each.get('secret')?.map);
    yield {
      code: 'DUPLICATE_VOLUME',
      at: at(each),
      message: `Two volumes are named "${name}", and Kubernetes refuses that.`,
      remedy: 'Keep one of them.',
      ...(expendable && { repair: repairAt(each, `removed the second volume "${name}"`, () => [removeItem(each)]) }),
    };
  }
}

function* volume(pod: CertificatePod, secretName: string | undefined): Iterable<Problem> {
  const waiting = certificateMounts(pod.container)[0];
  const waitingFor = waiting?.get('name')?.text;
  const named = volumeNamed(pod.podSpec, waitingFor);
  const found = certificateVolume(pod, secretName);
  if (waitingFor !== undefined && !named && found) {
    const name = found.get('name') ?? found;
    yield {
      code: 'VOLUME_NAME_MISMATCH',
      at: at(name),
      message: `The mount of ${mountDirectory} names the volume "${waitingFor}", and the volume is named "${name.text ?? ''}": the pod is refused.`,
      remedy: 'Give both one name.',
      repair: repairAt(name, `renamed the volume "${name.text ?? ''}" to "${waitingFor}", as its mount says`, () => [
        setScalar(name, waitingFor),
      ]),
    };
  }
  if (found) yield* volumeContent(pod, found, secretName);
  if (found || secretName === undefined || !waiting || waitingFor === undefined) return;
  yield {
    code: 'MOUNT_WITHOUT_VOLUME',
    at: at(waiting),
    message: `The mount of ${mountDirectory} names the volume "${waitingFor}", and the pod has none of that name.`,
    remedy: `Add the volume "${waitingFor}" with the Secret "${secretName}".`,
    repair: repairAt(
      pod.podSpec.get('volumes') ?? pod.podSpec,
      `added the volume "${waitingFor}" with the Secret "${secretName}"`,
      () => [addVolume(pod, waitingFor, secretName)],
    ),
  };
}

function addVolume(pod: CertificatePod, name: string, secretName: string): PartEdit {
  const mode = fileMode(pod);
  const list = pod.podSpec.get('volumes');
  const volume = { name, secret: { secretName, ...(mode !== undefined && { defaultMode: mode }) } };
  return list ? addItem(list, volume) : addPair(pod.podSpec, 'volumes', [volume]);
}

function* volumeContent(pod: CertificatePod, found: YamlCursor, secretName: string | undefined): Iterable<Problem> {
  const secret = found.get('secret');
  if (!secret) return;
  const current = secret.get('secretName');
  if (secretName !== undefined && current?.text !== secretName) {
    yield {
      code: 'SECRET_NAME_MISMATCH',
      at: at(current ?? secret),
      message: `The volume "${found.get('name')?.text ?? ''}" names the Secret "${current?.text ?? ''}", and the certificate is in "${secretName}": the pod would wait for ever.`,
      remedy: `Name the Secret "${secretName}".`,
      repair: repairAt(current ?? secret, `set the Secret of the certificate volume to "${secretName}"`, () => [
        current ? setScalar(current, secretName) : setSecret(found, secret, secretName),
      ]),
      independent: current !== undefined,
    };
  }
  yield* fileModes(pod, secret);
  const items = secret.get('items');
  const keys = projectedKeys(found);
  if (items && (keys.certificate === undefined || keys.key === undefined)) {
    yield {
      code: 'CERTIFICATE_ITEMS_WRONG',
      at: at(items),
      message: 'The items of the certificate volume do not give the files client.crt and client.key.',
      remedy:
        'Remove the items, so that every key becomes a file of its name, or map the keys to client.crt and client.key.',
      repair: repairAt(items, 'removed the items of the certificate volume', () => [removePair(items)]),
      safe: false,
    };
  }
}

function setSecret(found: YamlCursor, secret: YamlCursor, secretName: string): PartEdit {
  return secret.map ? addPair(secret, 'secretName', secretName) : addPair(found, 'secret', { secretName });
}

function* mount(pod: CertificatePod, secretName: string | undefined): Iterable<Problem> {
  const { container } = pod;
  const present = certificateMounts(container).find((each) => mountPath(each) === mountDirectory);
  if (!present) {
    yield* missingMount(pod, secretName);
    return;
  }
  const readOnly = present.get('readOnly');
  if (readOnly?.json === true) return;
  yield {
    code: 'MOUNT_NOT_READ_ONLY',
    at: at(readOnly ?? present),
    message: `The mount of ${mountDirectory} is not marked read-only.`,
    remedy: 'Set readOnly: true.',
    repair: repairAt(readOnly ?? present, `made the mount of ${mountDirectory} read-only`, () => [
      readOnly ? setScalar(readOnly, true) : addPair(present, 'readOnly', true),
    ]),
    independent: true,
  };
}

/** Mounts the volume that is there for the certificate, or adds one and mounts it. */
function* missingMount(pod: CertificatePod, secretName: string | undefined): Iterable<Problem> {
  const { container, podSpec } = pod;
  const present = strayVolume(pod, secretName, false)?.get('name')?.text;
  if (present === undefined && secretName === undefined) return;
  const name = present ?? freeName(pod);
  const list = container.get('volumeMounts');
  const mount = { name, mountPath: mountDirectory, readOnly: true };
  const source =
    present === undefined ? `the Secret "${secretName}", as the volume "${name}",` : `the volume "${name}"`;
  const places = [list ?? container, ...(present === undefined ? [podSpec.get('volumes') ?? podSpec] : [])];
  yield {
    code: 'MOUNT_MISSING',
    at: at(list ?? container),
    message: `The container has no mount at ${mountDirectory}, where the certificate is looked for.`,
    remedy: `Mount ${source.replace(/,$/, '')} at ${mountDirectory}, read-only.`,
    repair: repairAt(places, `mounted ${source} at ${mountDirectory}, read-only`, () => [
      list ? addItem(list, mount) : addPair(container, 'volumeMounts', [mount]),
      ...(present === undefined && secretName !== undefined ? [addVolume(pod, name, secretName)] : []),
    ]),
  };
}

/** A name that no volume of the pod has. */
function freeName(pod: CertificatePod): string {
  const stray = strayVolume(pod, undefined, false)?.get('name')?.text;
  if (stray !== undefined) return stray;
  const names = new Set(volumesOf(pod.podSpec).map((each) => each.get('name')?.text));
  return names.has(volumeName) ? `mtls-${volumeName}` : volumeName;
}
