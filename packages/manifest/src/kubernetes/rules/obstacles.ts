import { mountDirectory } from '../../delegate-variables.ts';
import { at } from '../../edit/repair.ts';
import type { Problem } from '../../finding.ts';
import { imageFault } from '../../image-tag.ts';
import { certificateMounts, mountPath, volumeNamed } from '../certificate-volume.ts';
import { helmTrace } from '../refusals.ts';
import type { KubernetesScene } from '../scene.ts';

/** What a migration refuses, said without refusing. */
export function* obstacles(scene: KubernetesScene, mtls: boolean): Iterable<Problem> {
  const { delegate, upgrader } = scene;
  const trace = helmTrace(delegate);
  if (trace) {
    yield {
      code: 'HELM_RENDERED',
      at: at(trace),
      message: `"${delegate.object.name}" was rendered by Helm: the next "helm upgrade" undoes what is changed here.`,
      remedy: 'Change the values (mTLS.secretName, managerEndpoint) instead.',
    };
  }
  const image = delegate.container.get('image');
  const fault = image?.text === undefined ? undefined : imageFault(image.text);
  if (image && fault) {
    yield {
      code: 'IMAGE_NOT_IMMUTABLE',
      severity: mtls ? 'error' : 'note',
      at: at(image),
      message: fault,
      remedy: 'Set an immutable tag.',
    };
  }
  for (const pod of [delegate, ...upgrader.jobs]) {
    for (const mount of certificateMounts(pod.container)) {
      const path = mountPath(mount);
      const subPath = mount.get('subPath') ?? mount.get('subPathExpr');
      const volume = volumeNamed(pod.podSpec, mount.get('name')?.text);
      if (subPath) {
        yield {
          code: 'SUBPATH_MOUNT',
          at: at(subPath),
          message: `"${path}" is mounted with subPath, and such a mount never sees a renewed certificate.`,
          remedy: `Mount the whole Secret at ${mountDirectory}.`,
        };
      } else if (path !== mountDirectory || (volume && !volume.get('secret') && volume.entries().length > 1)) {
        yield {
          code: 'MOUNT_CONFLICT',
          at: at(mount),
          message: `"${path}" carries something else than the certificate's Secret.`,
          remedy: `Mount the Secret at ${mountDirectory}, and this elsewhere.`,
        };
      }
    }
  }
}
