import { mountDirectory } from '../delegate-variables.ts';
import type { EditableText } from '../edit/editable-text.ts';
import { YamlCursor } from '../edit/yaml-cursor.ts';
import type { YamlFile } from '../edit/yaml-file.ts';
import { isJsonPatch, jsonPatchRefusal } from '../form.ts';
import { imageFault } from '../image-tag.ts';
import { ManifestError } from '../manifest-error.ts';
import { refusal } from '../yaml-refusals.ts';
import { certificateMounts, mountPath, volumeNamed } from './certificate-volume.ts';
import { inlinePatches, objectsOf } from './objects.ts';
import type { KubernetesScene } from './scene.ts';
import { resolveVariable } from './variables.ts';
import { type DelegateWorkload, delegatesOf, upgraderJobsOf } from './workloads.ts';

/** The delegate that is meant. @throws ManifestError NO_DELEGATE, SEVERAL_DELEGATES or DELEGATE_UNKNOWN. */
export function chooseDelegate(file: YamlFile, wanted: string | undefined): DelegateWorkload {
  const objects = objectsOf(file);
  const delegates = delegatesOf(objects);
  const first = delegates[0];
  if (!first) {
    const job = upgraderJobsOf(objects)[0];
    if (job) {
      const message = `There is no delegate in this file. It holds the upgrader "${job.object.name}"; put the delegate's Deployment into the same file.`;
      throw refusal(file.source, 'NO_DELEGATE', message, job.object.root);
    }
    refuseKustomization(file);
    const message = 'There is no delegate in this file. Give the file that holds its Deployment.';
    throw new ManifestError('NO_DELEGATE', message, { line: 1, column: 1 });
  }
  const matching =
    wanted === undefined ? delegates : delegates.filter((delegate) => namesOf(delegate, file).includes(wanted));
  const [chosen, another] = matching;
  if (chosen && !another) return chosen;
  const list = delegates.map((delegate) => `"${nameOf(delegate)}" (line ${lineOf(delegate, file)})`).join(', ');
  if (!chosen)
    throw refusal(
      file.source,
      'DELEGATE_UNKNOWN',
      `There is no delegate "${wanted}" in this file; it holds ${list}.`,
      first.object.root,
    );
  throw refusal(
    file.source,
    'SEVERAL_DELEGATES',
    `The file holds several delegates: ${list}. Say which one is meant with --delegate NAME.`,
    another?.object.root ?? chosen.object.root,
  );
}

/** @throws ManifestError for a kustomization, which holds no delegate in a form that can be changed. */
function refuseKustomization(file: YamlFile): void {
  const roots = file.parts.flatMap((part) => YamlCursor.root(part) ?? []);
  const kustomization = roots.find((root) => root.get('kind')?.text === 'Kustomization');
  if (!kustomization) return;
  const numbered = inlinePatches(kustomization).find((patch) => isJsonPatch(patch.text ?? ''));
  if (numbered) throw refusal(file.source, 'SHAPE_UNSUPPORTED', jsonPatchRefusal, numbered);
  throw refusal(
    file.source,
    'NO_DELEGATE',
    'This kustomization holds no delegate: give the file of its resources, or the patch, that does.',
    kustomization,
  );
}

/** Finds the same delegate again after the text has changed. */
export function sameDelegate(
  chosen: DelegateWorkload,
): (delegates: readonly DelegateWorkload[]) => DelegateWorkload | undefined {
  const { kind, name, namespace } = chosen.object;
  return (delegates) =>
    delegates.find(({ object }) => object.kind === kind && object.name === name && object.namespace === namespace);
}

/** @throws ManifestError for what a migration must not be built on: rendered files, mutable images, foreign mounts. */
export function refuseUnfit(scene: KubernetesScene, source: EditableText): void {
  const { delegate } = scene;
  if (delegate.object.name === '') {
    const message = `The ${delegate.object.kind} of the delegate has no metadata.name, and Kubernetes refuses it; give it its name back.`;
    throw refusal(source, 'SHAPE_UNSUPPORTED', message, delegate.object.root);
  }
  const helm = helmTrace(delegate);
  if (helm) {
    const message = `"${delegate.object.name}" was rendered by Helm, and the next "helm upgrade" would undo a change here. Migrate the values file (mTLS.secretName, managerEndpoint) or the helm command instead.`;
    throw refusal(source, 'HELM_RENDERED', message, helm);
  }
  const image = delegate.container.get('image');
  const fault = delegate.image === undefined ? undefined : imageFault(delegate.image);
  if (fault && image) throw refusal(source, 'IMAGE_NOT_IMMUTABLE', fault, image);
  for (const pod of [delegate, ...scene.upgrader.jobs]) refuseMounts(pod, source);
  for (const config of scene.upgrader.configs) {
    if (!config.fault) continue;
    const at = source.originalPosition(config.part.offsetInFile(config.fault.offset));
    throw new ManifestError(
      'YAML_INVALID',
      `The upgrader's config.yaml in the ConfigMap "${config.object.name}" cannot be parsed: ${config.fault.reason}.`,
      at,
    );
  }
}

/** Where it shows that Helm rendered the delegate: its labels, its annotations, or the comment that `helm template` writes. */
export function helmTrace({ object }: DelegateWorkload): YamlCursor | undefined {
  const notes = ['labels', 'annotations'].flatMap((field) => object.root.at('metadata', field)?.entries() ?? []);
  const note = notes.find((each) => {
    const key = each.link.kind === 'pair' ? each.link.key : '';
    return (
      key === 'helm.sh/chart' ||
      key.startsWith('meta.helm.sh/') ||
      (key === 'app.kubernetes.io/managed-by' && each.text === 'Helm')
    );
  });
  return note ?? (/^# Source: \S+\/templates\//m.test(object.part.text) ? object.root : undefined);
}

function refuseMounts(pod: { container: YamlCursor; podSpec: YamlCursor }, source: EditableText): void {
  for (const mount of certificateMounts(pod.container)) {
    const subPath = mount.get('subPath') ?? mount.get('subPathExpr');
    const path = mountPath(mount);
    if (subPath) {
      const message = `"${path}" is mounted with subPath, and such a mount never sees a renewed certificate. Mount the whole Secret at ${mountDirectory}, or remove the mount.`;
      throw refusal(source, 'SUBPATH_MOUNT', message, subPath);
    }
    const volume = volumeNamed(pod.podSpec, mount.get('name')?.text);
    const kind = volume?.entries().find((entry) => entry.link.kind === 'pair' && entry.link.key !== 'name');
    const isSecret = !volume || !kind || volume.get('secret') !== undefined;
    if (path === mountDirectory && isSecret) continue;
    const what = isSecret
      ? `the Secret volume "${mount.get('name')?.text ?? ''}"`
      : `a volume of the kind ${kind?.link.kind === 'pair' ? kind.link.key : ''}`;
    const message = `"${path}" already carries ${what}. The certificate's Secret is mounted at ${mountDirectory}: move or remove that mount first.`;
    throw refusal(source, 'MOUNT_CONFLICT', message, mount);
  }
}

function nameOf({ object }: DelegateWorkload): string {
  return object.namespace === undefined ? object.name : `${object.namespace}/${object.name}`;
}

function namesOf(delegate: DelegateWorkload, file: YamlFile): string[] {
  const source = resolveVariable(delegate, 'DELEGATE_NAME', objectsOf(file));
  const variable = source.kind === 'literal' || source.kind === 'key' ? source.value : undefined;
  return [delegate.object.name, nameOf(delegate), ...(variable === undefined ? [] : [variable])];
}

function lineOf({ object }: DelegateWorkload, file: YamlFile): number {
  return file.source.originalPosition(object.part.offsetInFile(object.root.keyOffset)).line;
}
