import { areDelegateVariables } from '../delegate-variables.ts';
import type { YamlCursor } from '../edit/yaml-cursor.ts';
import { imageBaseName } from '../image-tag.ts';
import { type KubernetesObject, podSpecOf, referenced } from './objects.ts';
import { secretText } from './secret-data.ts';

/** A container in its pod, in the object that runs it. */
export interface Workload {
  readonly object: KubernetesObject;
  readonly podSpec: YamlCursor;
  readonly container: YamlCursor;
  readonly containerName: string;
}

export interface DelegateWorkload extends Workload {
  readonly image: string | undefined;
  /** A strategic merge patch: what it does not say stands in the base. */
  readonly partial: boolean;
}

const delegateKinds = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'Pod']);

/**
 * The delegates of a file, known by the container's name, its image, or the variables it sets. Variables that come from
 * a ConfigMap or Secret tell only when nothing else does: others may read the same one.
 */
export function delegatesOf(objects: readonly KubernetesObject[]): readonly DelegateWorkload[] {
  const found = known.get(objects) ?? recognised(objects);
  known.set(objects, found);
  return found;
}

const known = new WeakMap<readonly KubernetesObject[], readonly DelegateWorkload[]>();

function recognised(objects: readonly KubernetesObject[]): DelegateWorkload[] {
  const find = (score: (container: YamlCursor, object: KubernetesObject) => number) =>
    objects
      .filter((object) => delegateKinds.has(object.kind))
      .flatMap((object) => bestContainer(object, (container) => score(container, object)) ?? [])
      .map((workload) => {
        const image = workload.container.get('image')?.text;
        return { ...workload, image, partial: image === undefined || workload.object.inlinePatch };
      });
  const plain = find((container) => delegateScore(container, new Set(ownNames(container))));
  if (plain.length > 0) return plain;
  return find((container, object) =>
    delegateScore(container, new Set([...ownNames(container), ...importedNames(container, object, objects)])),
  );
}

/** Upgraders run as CronJobs; the container is known by its name, its image, or its token. */
export function upgraderJobsOf(objects: readonly KubernetesObject[]): Workload[] {
  return objects
    .filter((object) => object.kind === 'CronJob')
    .flatMap((object) => bestContainer(object, (container) => upgraderScore(container)) ?? []);
}

function bestContainer(object: KubernetesObject, score: (container: YamlCursor) => number): Workload | undefined {
  const podSpec = podSpecOf(object);
  if (!podSpec?.map) return undefined;
  const rated = (podSpec.get('containers')?.items() ?? [])
    .map((container) => ({ container, points: score(container) }))
    .filter(({ points }) => points >= 2)
    .sort((a, b) => b.points - a.points);
  const best = rated[0]?.container;
  return best && { object, podSpec, container: best, containerName: best.get('name')?.text ?? '' };
}

function delegateScore(container: YamlCursor, variables: ReadonlySet<string>): number {
  const image = imageBaseName(container.get('image')?.text ?? '');
  if (image === 'upgrader') return 0;
  const byName = container.get('name')?.text === 'delegate' ? 4 : 0;
  const byImage = image === 'delegate' ? 3 : /(?:^|-)delegate(?:-|$)/.test(image) ? 2 : 0;
  return byName + byImage + (areDelegateVariables(variables) ? 2 : 0);
}

function upgraderScore(container: YamlCursor): number {
  const named =
    container.get('name')?.text === 'upgrader' || imageBaseName(container.get('image')?.text ?? '') === 'upgrader';
  const token = (container.get('env')?.items() ?? []).some((item) => item.get('name')?.text === 'UPGRADER_TOKEN');
  return named || token ? 2 : 0;
}

function ownNames(container: YamlCursor): string[] {
  return (container.get('env')?.items() ?? []).map((item) => item.get('name')?.text ?? '');
}

function importedNames(
  container: YamlCursor,
  object: KubernetesObject,
  objects: readonly KubernetesObject[],
): string[] {
  return (container.get('envFrom')?.items() ?? []).flatMap((source) => {
    const map = referenced(objects, 'ConfigMap', source.at('configMapRef', 'name')?.text, object);
    const secret = referenced(objects, 'Secret', source.at('secretRef', 'name')?.text, object);
    return [...(map?.root.get('data')?.keys() ?? []), ...(secret ? secretText(secret).keys() : [])];
  });
}
