// Manifests as people have them, made from the sample by a seeded generator: reordered, renamed, partial, half migrated, broken.
import { possibleMistakes } from './manifest-mistakes.ts';
import { at, delegateContainer, list, mapAt, maps, named, type PlainMap, podSpec } from './plain-objects.ts';
import { Random } from './random.ts';
import { type Did, damage, write } from './written-manifest.ts';

export interface MutatedManifest {
  readonly text: string;
  readonly name: string;
  /** What was done to it, for the message of a failing test. */
  readonly how: readonly string[];
  /** The objects before the mistakes: what they would be had nobody made any. */
  readonly intended: readonly PlainMap[];
  /** The mistakes in it, by name. */
  readonly mistakes: readonly string[];
  /** The text was damaged: nobody can say what it should come to. */
  readonly damaged: boolean;
  readonly withCertificate: boolean;
}

export function mutate(sample: readonly PlainMap[], seed: number): MutatedManifest {
  const random = new Random(seed);
  const how: string[] = [];
  const did = (what: string, probability: number, change: () => void) => {
    if (!random.chance(probability)) return;
    how.push(what);
    change();
  };
  let objects = structuredClone([...sample]);
  let name = 'd1';
  did('renamed', 0.5, () => {
    name = random.pick(['agent-7', 'eu-west', 'yes', 'x1']);
    objects = JSON.parse(
      JSON.stringify(objects).replaceAll('"d1', `"${name}`).replaceAll('workloadName: d1', `workloadName: ${name}`),
    );
  });
  did('other namespace', 0.3, () => {
    objects = JSON.parse(JSON.stringify(objects).replaceAll('harness-delegate-ng', 'agents'));
  });
  did('no namespaces', 0.1, () => {
    for (const object of objects) delete mapAt(object, 'metadata')['namespace'];
  });
  did('partial', 0.85, () => {
    const optional = new Set([
      'Namespace',
      'ClusterRoleBinding',
      'HorizontalPodAutoscaler',
      'Role',
      'RoleBinding',
      'ServiceAccount',
      'Secret',
    ]);
    objects = objects.filter((object) => !optional.has(String(object['kind'])) || random.chance(0.3));
  });
  did('no upgrader', 0.3, () => {
    objects = objects.filter((object) => object['kind'] !== 'CronJob' && object['kind'] !== 'ConfigMap');
  });
  did('reordered', 0.3, () => {
    objects = objects
      .map((object) => ({ object, rank: random.next() }))
      .sort((a, b) => a.rank - b.rank)
      .map(({ object }) => object);
  });
  const deployment = objects.find((object) => object['kind'] === 'Deployment') ?? {};
  const spec = podSpec(deployment) ?? {};
  const container = delegateContainer(spec) ?? {};
  workload(random, did, { objects, spec, container, name });

  const intended = structuredClone(objects);
  const withCertificate = random.chance(0.6);
  const mistakes: string[] = [];
  if (random.chance(0.5)) {
    for (const mistake of possibleMistakes(objects, deployment, spec, container, name, withCertificate)) {
      if (!random.chance(0.4)) continue;
      mistakes.push(mistake.name);
      mistake.make();
    }
  }
  const written = write(random, did, objects);
  const damaged = random.chance(0.25);
  const text = damaged ? damage(random, written, how) : written;
  return { text, name, how, intended, mistakes, damaged, withCertificate };
}

interface Parts {
  readonly objects: PlainMap[];
  readonly spec: PlainMap;
  readonly container: PlainMap;
  readonly name: string;
}

/** What people do to the delegate's own Deployment. */
function workload(random: Random, did: Did, { objects, spec, container, name }: Parts): void {
  did('variables reordered', 0.3, () => list(container, 'env').sort(() => random.next() - 0.5));
  did('no log service', 0.2, () => {
    container['env'] = maps(container['env']).filter((item) => item['name'] !== 'LOG_STREAMING_SERVICE_URL');
  });
  did('test intelligence', 0.2, () =>
    list(container, 'env').push({ name: 'TI_SERVICE_URL', value: 'https://manager.example.com/ti-service/' }),
  );
  did('no env at all', 0.05, () => {
    delete container['env'];
  });
  did('container renamed', 0.15, () => {
    container['name'] = 'agent';
  });
  did('another volume', 0.3, () => {
    list(container, 'volumeMounts').push({ name: 'cache', mountPath: '/cache' });
    list(spec, 'volumes').push({ name: 'cache', emptyDir: {} });
  });
  did('fsGroup', 0.2, () => {
    spec['securityContext'] = { fsGroup: 1001 };
  });
  did('script with tabs', 0.2, () => {
    const script = named(container['env'], 'INIT_SCRIPT');
    if (script) script['value'] = 'if true; then\n\techo "a:\tb # no comment"\nfi\n---\n';
  });
  did('sidecar', 0.3, () => {
    const sidecar: PlainMap = { name: 'sidecar', image: 'registry.example.com/sidecar:1' };
    // The same list in two places is written as an anchor and an alias.
    sidecar['env'] =
      random.chance(0.5) && container['env'] !== undefined
        ? container['env']
        : [{ name: 'MANAGER_HOST_AND_PORT', value: 'https://manager.example.com' }];
    const containers = list(spec, 'containers');
    if (random.chance(0.5)) containers.push(sidecar);
    else containers.unshift(sidecar);
  });
  did('settings in a ConfigMap', 0.2, () => {
    const data: PlainMap = { MANAGER_HOST_AND_PORT: 'https://manager.example.com', OTHER: 'x' };
    const metadata: PlainMap = { name: `${name}-settings` };
    const namespace = at(
      objects.find((object) => object['kind'] === 'Deployment'),
      'metadata',
      'namespace',
    );
    if (namespace !== undefined) metadata['namespace'] = namespace;
    objects.unshift({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data });
    list(container, 'envFrom').push({ configMapRef: { name: `${name}-settings` } });
    const env = container['env'];
    if (Array.isArray(env)) {
      const index = maps(env).findIndex((item) => item['name'] === 'MANAGER_HOST_AND_PORT');
      if (index !== -1) env.splice(index, 1);
    }
  });
}
