// The mistakes that people make on the way to mTLS, made on plain objects.
import { certificateSecret, endpoint } from './oracle.ts';
import { isMap, list, mapAt, maps, named, nameOf, type PlainMap, podSpec } from './plain-objects.ts';

export interface Mistake {
  readonly name: string;
  readonly make: () => void;
}

/** Mistakes that the migration must take back, and steps taken already. Keys that end in § become duplicate keys when they are written. */
export function possibleMistakes(
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
