import { delegateWishes } from '../../delegate-variables.ts';
import { at } from '../../edit/repair.ts';
import type { YamlCursor } from '../../edit/yaml-cursor.ts';
import type { Problem } from '../../finding.ts';
import { certificateMounts, mountsOf, volumeNamed } from '../certificate-volume.ts';
import type { KubernetesScene } from '../scene.ts';
import { unquotedValue } from './variable-rules.ts';

/** Mistakes in the delegate's and the upgrader's containers that have nothing to do with mTLS and keep them from starting, or from being safe. */
export function* containerContent({ delegate, upgrader, target }: KubernetesScene): Iterable<Problem> {
  const managed = new Set(delegateWishes(target).map((wish) => wish.name));
  for (const pod of [delegate, ...upgrader.jobs]) {
    yield* variables(pod.container, managed);
    const ours = new Set(certificateMounts(pod.container).map((mount) => mount.node));
    for (const mount of delegate.partial ? [] : mountsOf(pod.container)) {
      const name = mount.get('name');
      if (!name?.text || ours.has(mount.node) || volumeNamed(pod.podSpec, name.text)) continue;
      yield {
        code: 'MOUNT_WITHOUT_VOLUME',
        at: at(name),
        message: `A mount names the volume "${name.text}", and the pod has none of that name: it is refused.`,
        remedy: 'Add the volume, or give mount and volume one name.',
      };
    }
  }
}

function* variables(container: YamlCursor, managed: ReadonlySet<string>): Iterable<Problem> {
  const seen = new Set<string>();
  for (const item of container.get('env')?.items() ?? []) {
    const name = item.get('name')?.text ?? '';
    const value = item.get('value');
    if (seen.has(name) && !managed.has(name)) {
      yield {
        code: 'DUPLICATE_VARIABLE',
        at: at(item),
        message: `${name} is set twice; only the last one counts.`,
        remedy: 'Remove all but the last.',
      };
    }
    seen.add(name);
    if (value && !value.empty && !isText(value)) yield* unquotedValue(item, name);
    if (name === 'TRUST_ALL_CERTIFICATES' && value?.text === 'true') {
      // Whoever can answer in the manager's place then gets the token and hands out tasks: mTLS protects only one direction.
      yield {
        code: 'TRUST_ALL_CERTIFICATES',
        at: at(value),
        message: 'TRUST_ALL_CERTIFICATES is "true": the delegate takes anybody for its manager.',
        remedy: 'Remove it, and add the CA of the manager to the delegate’s trust instead.',
      };
    }
  }
}

/** Text for Kubernetes too, whose YAML still reads `yes` and `off` as booleans. */
function isText(value: YamlCursor): boolean {
  if (typeof value.json !== 'string') return false;
  const plain = 'type' in value.node && value.node.type === 'PLAIN';
  return !(plain && /^(?:yes|no|on|off)$/i.test(value.json));
}
