// What a migration must come to, worked out on plain objects and not on text: the second opinion of the mutation test.
import assert from 'node:assert/strict';
import { parse } from 'yaml';
import { encodeBase64 } from '../src/pem.ts';
import { credentials } from './golden-cases.ts';
import {
  delegateContainer,
  isMap,
  list,
  mapAt,
  maps,
  named,
  nameOf,
  type Plain,
  type PlainMap,
  podSpec,
} from './plain-objects.ts';

export const endpoint = 'https://blue.agent.example.com';

const connections: Readonly<Record<string, string>> = {
  MANAGER_HOST_AND_PORT: endpoint,
  LOG_STREAMING_SERVICE_URL: `${endpoint}/log-service/`,
  TI_SERVICE_URL: `${endpoint}/ti-service/`,
};
const additions: Readonly<Record<string, string>> = {
  DELEGATE_CLIENT_CERTIFICATE_PATH: '/etc/mtls/client.crt',
  DELEGATE_CLIENT_CERTIFICATE_KEY_PATH: '/etc/mtls/client.key',
  GRPC_AUTHORITY_MODIFICATION_DISABLED: 'true',
};

/** The objects as they should be after the migration of the delegate `name`. */
export function migrated(before: readonly PlainMap[], name: string, withCertificate: boolean): PlainMap[] {
  const objects: PlainMap[] = JSON.parse(JSON.stringify(before)); // without sharing: an alias in the text is a copy here
  const secretName = `${name}-client-certificate`;
  const deployment = objects.find((object) => object['kind'] === 'Deployment' && nameOf(object) === name);
  assert(deployment, 'the delegate is there');
  const spec = podSpec(deployment);
  const container = spec && delegateContainer(spec);
  assert(spec && container, 'its container is there');
  variables(container, objects);
  mount(spec, container, secretName);

  // These files hold one delegate: an upgrader in them is its own.
  for (const object of objects) {
    const data = object['kind'] === 'ConfigMap' ? mapAt(object, 'data') : {};
    if (typeof data['config.yaml'] === 'string') {
      const parsed = parse(data['config.yaml']);
      Object.assign(parsed, {
        clientCertificateFilePath: '/etc/mtls/client.crt',
        clientCertificateKeyFilePath: '/etc/mtls/client.key',
      });
      parsed.delegateConfig = { ...parsed.delegateConfig, managerHost: endpoint };
      data['config.yaml'] = parsed;
    }
    const jobSpec = object['kind'] === 'CronJob' ? podSpec(object) : undefined;
    const upgrader = maps(jobSpec?.['containers'])[0];
    if (jobSpec && upgrader) mount(jobSpec, upgrader, secretName);
  }
  if (withCertificate) objects.splice(objects.indexOf(deployment), 0, certificateSecret(secretName, deployment));
  return objects;
}

function variables(container: PlainMap, objects: readonly PlainMap[]): void {
  const imported = maps(container['envFrom']).flatMap((source) => {
    const reference = source['configMapRef'];
    const wanted = isMap(reference) ? reference['name'] : undefined;
    return objects
      .filter((object) => object['kind'] === 'ConfigMap' && nameOf(object) === wanted)
      .map((object) => mapAt(object, 'data'));
  });
  for (const [name, value] of Object.entries({ ...connections, ...additions })) {
    const item = named(container['env'], name);
    const data = imported.find((each) => name in each);
    if (item) item['value'] = value;
    else if (data) data[name] = value;
    else if (name in additions || name === 'MANAGER_HOST_AND_PORT') list(container, 'env').push({ name, value });
  }
}

function mount(spec: PlainMap, container: PlainMap, secretName: string): void {
  list(container, 'volumeMounts').push({ name: 'client-certificate', mountPath: '/etc/mtls', readOnly: true });
  list(spec, 'volumes').push({ name: 'client-certificate', secret: { secretName } });
}

export function certificateSecret(name: string, deployment: PlainMap): PlainMap {
  const namespace = mapAt(deployment, 'metadata')['namespace'];
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, ...(namespace !== undefined && { namespace }) },
    type: 'Opaque',
    data: { 'client.crt': encodeBase64(credentials.certificatePem), 'client.key': encodeBase64(credentials.keyPem) },
  };
}

/** Objects made comparable: named lists by name, config.yaml parsed, the mode of the certificate's files checked and set aside. */
export function comparable(objects: readonly PlainMap[]): Plain[] {
  return structuredClone([...objects]).map((object) => {
    const data = object['data'];
    if (object['kind'] === 'ConfigMap' && isMap(data) && typeof data['config.yaml'] === 'string')
      data['config.yaml'] = parse(data['config.yaml']);
    const spec = podSpec(object);
    if (!spec) return object;
    for (const volume of maps(spec['volumes'])) {
      const secret = volume['secret'];
      if (!isMap(secret) || volume['name'] !== 'client-certificate') continue;
      assert(
        [undefined, 256, 288].includes(secret['defaultMode'] as number | undefined),
        `mode ${String(secret['defaultMode'])} is none`,
      );
      delete secret['defaultMode'];
    }
    byName(spec, 'volumes', 'name');
    for (const container of maps(spec['containers'])) {
      byName(container, 'env', 'name');
      byName(container, 'volumeMounts', 'mountPath');
    }
    return object;
  });
}

function byName(owner: PlainMap, key: string, field: string): void {
  if (!Array.isArray(owner[key])) return;
  owner[key] = [...maps(owner[key])].sort((a, b) => String(a[field]).localeCompare(String(b[field])));
}
