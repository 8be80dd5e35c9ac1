import { nestedPart } from '../edit/nested-yaml.ts';
import { YamlCursor } from '../edit/yaml-cursor.ts';
import type { YamlFault, YamlPart } from '../edit/yaml-part.ts';
import { type KubernetesObject, sameNamespace } from './objects.ts';
import { type DelegateWorkload, upgraderJobsOf, type Workload } from './workloads.ts';

/** The upgrader's `config.yaml` in its ConfigMap. */
export interface UpgraderConfig {
  readonly object: KubernetesObject;
  /** The scalar that holds the file. */
  readonly holder: YamlCursor;
  readonly part: YamlPart;
  readonly root: YamlCursor | undefined;
  readonly workloadName: string | undefined;
  readonly fault: YamlFault | undefined;
}

export interface Upgrader {
  readonly configs: readonly UpgraderConfig[];
  readonly jobs: readonly Workload[];
}

/** What upgrades one delegate: the configs that name its workload, and the CronJobs that mount those configs. */
export function upgraderOf(
  delegate: DelegateWorkload,
  objects: readonly KubernetesObject[],
  onlyDelegate: boolean,
): Upgrader {
  const near = (object: KubernetesObject) => sameNamespace(object, delegate.object);
  const allConfigs = configsOf(objects).filter((config) => near(config.object));
  const named = allConfigs.filter((config) => config.workloadName === delegate.object.name || config.fault);
  const configs = named.length > 0 ? named : onlyDelegate && allConfigs.length === 1 ? allConfigs : [];

  const allJobs = upgraderJobsOf(objects).filter((job) => near(job.object));
  const mounting = allJobs.filter((job) =>
    configs.some((config) => mountedConfigMaps(job).includes(config.object.name)),
  );
  const likely = allJobs.filter((job) => job.object.name.startsWith(`${delegate.object.name}-`));
  const jobs = mounting.length > 0 ? mounting : onlyDelegate && allJobs.length === 1 ? allJobs : likely;
  return { configs, jobs };
}

const known = new WeakMap<readonly KubernetesObject[], readonly UpgraderConfig[]>();

/** Every upgrader's config of the file, parsed once for all delegates. */
function configsOf(objects: readonly KubernetesObject[]): readonly UpgraderConfig[] {
  const found = known.get(objects) ?? objects.filter((object) => object.kind === 'ConfigMap').flatMap(configsIn);
  known.set(objects, found);
  return found;
}

/** The ConfigMaps that a job mounts. */
export function mountedConfigMaps(job: Workload): string[] {
  return (job.podSpec.get('volumes')?.items() ?? []).flatMap((volume) => volume.at('configMap', 'name')?.text ?? []);
}

function configsIn(object: KubernetesObject): UpgraderConfig[] {
  return (object.root.get('data')?.keys() ?? []).flatMap((key) => {
    const holder = object.root.at('data', key);
    if (!holder?.text || !/^\s*(?:delegateConfig|workloadName)\s*:/m.test(holder.text)) return [];
    const part = nestedPart(holder);
    if (!part) return [];
    const root = YamlCursor.root(part);
    return [{ object, holder, part, root, workloadName: root?.get('workloadName')?.text, fault: part.fault }];
  });
}
