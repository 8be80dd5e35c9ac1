// Manifests as people have them, made from the sample by a seeded generator: reordered, renamed, partial, half migrated, broken.
import { Document, stringify } from 'yaml';
import { certificateSecret, endpoint } from './oracle.ts';
import {
  at,
  delegateContainer,
  isMap,
  list,
  mapAt,
  maps,
  named,
  nameOf,
  type PlainMap,
  podSpec,
} from './plain-objects.ts';

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

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** mulberry32: small, fast, and the same everywhere. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  pick<T>(items: readonly [T, ...T[]]): T {
    return items[this.below(items.length)] ?? items[0];
  }
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
  did('partial', 0.4, () => {
    const optional = new Set([
      'Namespace',
      'ClusterRoleBinding',
      'HorizontalPodAutoscaler',
      'Role',
      'RoleBinding',
      'ServiceAccount',
      'Secret',
    ]);
    objects = objects.filter((object) => !optional.has(String(object['kind'])) || random.chance(0.5));
  });
  did('no upgrader', 0.2, () => {
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

type Did = (what: string, probability: number, change: () => void) => void;

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

interface Mistake {
  readonly name: string;
  readonly make: () => void;
}

/** The mistakes of WIRE 8.7 that the migration must take back, and steps already taken. Keys ending in § become duplicates. */
function possibleMistakes(
  objects: PlainMap[],
  deployment: PlainMap,
  spec: PlainMap,
  container: PlainMap,
  name: string,
  withCertificate: boolean,
): Mistake[] {
  const secretName = `${name}-client-certificate`;
  const shared = maps(spec['containers']).filter((each) => each['env'] === container['env']).length > 1;
  const env = () => list(container, 'env');
  const mount: PlainMap = { name: 'client-certificate', mountPath: '/etc/mtls', readOnly: true };
  const volume: PlainMap = { name: 'client-certificate', secret: { secretName } };
  const job = objects.find((object) => object['kind'] === 'CronJob');
  const jobSpec = job && podSpec(job);
  const config = objects.find(
    (object) =>
      object['kind'] === 'ConfigMap' && isMap(object['data']) && typeof object['data']['config.yaml'] === 'string',
  );
  const configData = config && mapAt(config, 'data');
  const replace = (from: RegExp, to: string) => {
    if (configData) configData['config.yaml'] = String(configData['config.yaml']).replace(from, to);
  };
  const manager = () => (shared ? undefined : named(container['env'], 'MANAGER_HOST_AND_PORT'));
  let mounted = false;
  const mistakes: Mistake[] = [
    {
      name: 'paths set',
      make: () => shared || env().push({ name: 'DELEGATE_CLIENT_CERTIFICATE_PATH', value: '/etc/mtls/client.crt' }),
    },
    {
      name: 'wrong path',
      make: () => shared || env().push({ name: 'DELEGATE_CLIENT_CERTIFICATE_KEY_PATH', value: '/certs/client.key' }),
    },
    {
      name: 'boolean not quoted',
      make: () => shared || env().push({ name: 'GRPC_AUTHORITY_MODIFICATION_DISABLED', value: true }),
    },
    {
      name: 'variable renamed',
      make: () => {
        const item = manager();
        if (item) item['name'] = endpoint;
      },
    },
    {
      name: 'variable twice',
      make: () => {
        const item = manager();
        if (item) env().unshift({ name: 'MANAGER_HOST_AND_PORT', value: 'https://older.example.com' });
      },
    },
    {
      name: 'mounted',
      make: () => {
        mounted = true;
        list(container, 'volumeMounts').push(mount);
      },
    },
    {
      name: 'stray value',
      make: () => {
        mount['value'] = '/etc/mtls/client.crt';
      },
    },
    {
      name: 'mode 400',
      make: () => {
        volume['secret'] = { ...mapAt(volume, 'secret'), defaultMode: 400 };
      },
    },
    {
      name: 'secret nobody makes',
      make: () => {
        mapAt(volume, 'secret')['secretName'] = 'kubernetes-delegate-client-certificate';
      },
    },
    { name: 'volume', make: () => list(spec, 'volumes').push(volume) },
    {
      name: 'volume below the container',
      make: () => {
        if (mounted && !maps(spec['volumes']).includes(volume)) container['volumes'] = [volume];
      },
    },
    {
      name: 'volume of another name',
      make: () => {
        if (mounted && maps(spec['volumes']).includes(volume)) volume['name'] = 'config-certificate';
      },
    },
    {
      name: 'volumes twice',
      make: () => {
        const volumes = list(spec, 'volumes');
        if (volumes.length < 2 || !volumes.includes(volume)) return;
        spec['volumes'] = volumes.filter((each) => each !== volume);
        spec['volumes§'] = [volume];
      },
    },
    {
      name: 'job volume of another name',
      make: () => {
        const upgrader = jobSpec && maps(jobSpec['containers'])[0];
        if (!jobSpec || !upgrader || !config) return;
        list(upgrader, 'volumeMounts').push({ name: 'client-certificate', mountPath: '/etc/mtls', readOnly: true });
        list(jobSpec, 'volumes').push({
          name: 'config-certificate',
          secret: { secretName: 'kubernetes-delegate-client-certificate' },
        });
      },
    },
    {
      name: 'upgrader keys set',
      make: () =>
        replace(
          /^delegateConfig/m,
          'clientCertificateFilePath: /etc/mtls/client.crt\nclientCertificateKeyFilePath: /etc/mtls/client.key\ndelegateConfig',
        ),
    },
    {
      name: 'upgrader key misplaced',
      make: () => {
        if (!String(configData?.['config.yaml']).includes('clientCertificate'))
          replace(/^( +)accountId/m, '$1clientCertificateFilePath: /etc/mtls/client.crt\n$1accountId');
      },
    },
  ];
  if (!withCertificate) return mistakes;
  const wrongSecret = (secret: string, data: PlainMap) => {
    const made = { ...certificateSecret(secret, deployment), data };
    objects.splice(objects.indexOf(deployment), 0, made);
  };
  const token = objects.find((object) => object['kind'] === 'Secret' && nameOf(object) === `${name}-account-token`);
  return [
    ...mistakes,
    {
      name: 'secret named like the token',
      make: () => wrongSecret(`${name}-account-token`, { 'client.crt': '{CERT}', 'client.key': '{KEY}' }),
    },
    {
      name: 'certificate in the token secret',
      make: () => {
        if (token && objects.filter((object) => nameOf(object) === nameOf(token)).length === 1)
          Object.assign(mapAt(token, 'data'), { 'client.crt': 'eA==' });
      },
    },
  ];
}

/** Writes the objects the way somebody or some tool would. */
function write(random: Random, did: Did, objects: readonly PlainMap[]): string {
  const options = {
    indent: random.pick([2, 2, 4]),
    indentSeq: random.chance(0.5),
    singleQuote: random.chance(0.3),
    lineWidth: 0,
  };
  const doubled = (text: string) => text.replaceAll('volumes§', 'volumes');
  if (random.chance(0.04))
    return doubled(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }, undefined, random.pick([2, 0])));
  let text = '';
  if (random.chance(0.06)) text = stringify({ apiVersion: 'v1', kind: 'List', items: objects }, options);
  else {
    const separator = random.pick(['---\n', '\n---\n\n', '---\n# next\n', '--- # object\n']);
    text =
      (random.chance(0.3) ? '---\n' : '') +
      objects.map((object) => new Document(object).toString(options)).join(separator);
  }
  text = doubled(text);
  did('comments', 0.5, () => {
    text = commented(random, text);
  });
  did('Windows line ends', 0.15, () => {
    text = text.replaceAll('\n', '\r\n');
  });
  did('no final line end', 0.1, () => {
    text = text.trimEnd();
  });
  return text;
}

/** Comments of their own line and behind values, outside block scalars. */
function commented(random: Random, text: string): string {
  let block = -1;
  let count = 0;
  return text
    .split('\n')
    .flatMap((line) => {
      const indent = line.length - line.trimStart().length;
      if (block >= 0 && (line.trim() === '' || indent > block)) return [line];
      block = /[|>][-+]?$/.test(line) ? indent : -1;
      if (line.startsWith('---') || line.trim() === '') return [line];
      const above = random.chance(0.1) ? [`${' '.repeat(indent)}# note ${++count}`] : [];
      const behind = block === -1 && random.chance(0.1) ? ` # note ${++count}` : '';
      return [...above, line + behind];
    })
    .join('\n');
}

/** One accident of copying, merging or saving. */
function damage(random: Random, text: string, how: string[]): string {
  const lines = text.split('\n');
  const index = random.below(lines.length);
  const line = lines[index] ?? '';
  const accidents: [string, () => string][] = [
    ['a line lost', () => lines.toSpliced(index, 1).join('\n')],
    ['a line doubled', () => lines.toSpliced(index, 0, line).join('\n')],
    ['a line indented', () => lines.with(index, `  ${line}`).join('\n')],
    ['a line outdented', () => lines.with(index, line.replace(/^ {2}/, '')).join('\n')],
    ['a tab', () => lines.with(index, line.replace(/^ {2}/, '\t')).join('\n')],
    ['cut short', () => text.slice(0, random.below(text.length))],
    ['indentation lost', () => lines.map((each) => each.trimStart()).join('\n')],
    ['a marker glued', () => text.replace('\n---', '---')],
    [
      'two lines swapped',
      () =>
        lines
          .with(index, lines[index + 1] ?? '')
          .with(Math.min(index + 1, lines.length - 1), line)
          .join('\n'),
    ],
    ['latest image', () => text.replaceAll(/delegate:[\d.]+/g, 'delegate:latest')],
  ];
  const [what, make] = accidents[random.below(accidents.length)] ?? ['nothing', () => text];
  how.push(`${what} at ${index + 1}`);
  return make();
}
