import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Parse } from 'typebox/value';
import { ContainerDetails, ImageDetails } from './engine.ts';
import { replacementOf } from './replacement.ts';

const ID = 'ab'.repeat(32);
const VOLUME = 'cd'.repeat(32);
const OF_IMAGE = {
  ...{ Env: ['PATH=/bin'], Cmd: ['serve'], Entrypoint: ['/start.sh'], WorkingDir: '/opt', User: 'delegate' },
  ...{ Labels: { of: 'image' }, Volumes: { '/work': {} }, ExposedPorts: { '3460/tcp': {} }, StopSignal: 'SIGTERM' },
  Healthcheck: { Test: ['CMD', 'check'], Interval: 1 },
};

/** As `GET /containers/{id}/json` answers. */
function inspected(config: object = {}, hostConfig: object = {}, more: object = {}): ContainerDetails {
  return Parse(ContainerDetails, {
    ...{ Id: ID, Name: '/edge', Image: 'sha256:1', State: { Running: true }, Mounts: [] },
    Config: { Hostname: ID.slice(0, 12), Domainname: '', Image: 'a:1', ...OF_IMAGE, ...config },
    HostConfig: { NetworkMode: 'default', Binds: null, ...hostConfig },
    NetworkSettings: { Networks: { bridge: { Aliases: null, IPAMConfig: null, IPAddress: '172.17.0.2' } } },
    ...more,
  });
}

function bodyOf(...parts: Parameters<typeof inspected>): Readonly<Record<string, unknown>> {
  const image = Parse(ImageDetails, { Id: 'sha256:1', Config: OF_IMAGE });
  return JSON.parse(JSON.stringify(replacementOf(inspected(...parts), image, 'a:2', 41).body)) as Record<
    string,
    unknown
  >;
}

test('what came from the old image is left to the new one', () => {
  const { Hostname, ...body } = bodyOf();
  assert.equal(Hostname, undefined, 'it was the old container’s id');
  assert.deepEqual(body, {
    ...{ Domainname: '', Image: 'a:2', Env: [], Labels: {}, Volumes: {}, ExposedPorts: {} },
    HostConfig: { NetworkMode: 'default', Binds: null },
    NetworkingConfig: { EndpointsConfig: { bridge: { IPAMConfig: null, Aliases: [] } } },
  });
});

test('what somebody set is kept, whatever the image says', () => {
  const config = {
    ...{ Hostname: 'edge-1', Domainname: 'example.com', User: '0', WorkingDir: '/', Tty: true, StopTimeout: 900 },
    ...{ Env: ['A=1', 'PATH=/own', 'PATH=/bin'], Labels: { of: 'me', 'com.docker.compose.service': 'edge' } },
    ...{ Healthcheck: { Test: ['NONE'] }, ExposedPorts: { '3460/tcp': {}, '9/udp': {} }, StopSignal: 'SIGINT' },
  };
  const hostConfig = {
    ...{ RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 }, Memory: 1, NanoCpus: 2, Privileged: false },
    ...{ Devices: [{ PathOnHost: '/dev/fuse', PathInContainer: '/dev/fuse', CgroupPermissions: 'r' }] },
    ...{
      Ulimits: [{ Name: 'nofile', Soft: 1, Hard: 2 }],
      ExtraHosts: ['a:10.0.0.1'],
      CapAdd: ['NET_RAW'],
      CapDrop: ['ALL'],
    },
    ...{ Dns: ['10.0.0.2'], SecurityOpt: ['no-new-privileges'], GroupAdd: ['1'], Sysctls: { a: '1' }, ShmSize: 7 },
    ...{
      LogConfig: { Type: 'local', Config: { a: 'b' } },
      PortBindings: { '9/udp': [{ HostPort: '9' }] },
      Tmpfs: { '/t': '' },
    },
    ...{ ReadonlyRootfs: true, Init: true, PidMode: 'host', Links: ['/db:/edge/db'], Binds: ['/a:/b:ro', 'named:/c'] },
  };
  const body = bodyOf(config, hostConfig);
  const { ExposedPorts: _ports, Env: _env, ...kept } = config;
  assert.partialDeepStrictEqual(body, { ...kept, Image: 'a:2', Env: ['A=1', 'PATH=/own'] });
  assert.deepEqual(body['ExposedPorts'], { '9/udp': {} });
  assert.deepEqual(body['HostConfig'], { NetworkMode: 'default', ...hostConfig });
});

test('start command and arguments are the container’s own together, or the image’s', () => {
  const start = (Entrypoint: unknown, Cmd: unknown) => {
    const body = bodyOf({ Entrypoint, Cmd });
    return [body['Entrypoint'], body['Cmd']];
  };
  assert.deepEqual(start(['/start.sh'], ['serve']), [undefined, undefined]);
  assert.deepEqual(start(['/start.sh'], ['other']), [undefined, ['other']]);
  assert.deepEqual(start(['/own.sh'], ['serve']), [['/own.sh'], ['serve']], 'the same words, for another command');
  assert.deepEqual(start(['/own.sh'], null), [['/own.sh'], []]);
  assert.deepEqual(start(['/start.sh'], null), [['/start.sh'], []], 'without arguments on purpose');
  assert.deepEqual(start(null, ['sh']), [[''], ['sh']], 'without the image’s start command on purpose');
});

test('volumes that nobody named are mounted again, where they were', () => {
  const volume = (Destination: string, more: object = {}) => ({ Type: 'volume', Name: VOLUME, Destination, ...more });
  const body = bodyOf(
    { Volumes: { '/work': {}, '/own': {} } },
    {
      Binds: ['named:/data', '/etc:/etc/'],
      Mounts: [
        { Type: 'volume', Target: '/m' },
        { Type: 'tmpfs', Target: '/t' },
      ],
    },
    {
      Mounts: [
        ...[volume('/work'), volume('/own', { RW: false }), volume('/data', { Name: 'named' }), volume('/m')],
        ...[
          { Type: 'bind', Source: '/etc', Destination: '/etc' },
          { Type: 'tmpfs', Destination: '/t' },
        ],
      ],
    },
  );
  assert.partialDeepStrictEqual(body['HostConfig'], {
    Binds: ['named:/data', '/etc:/etc/', `${VOLUME}:/work`, `${VOLUME}:/own:ro`],
    Mounts: [
      { Type: 'volume', Target: '/m', Source: VOLUME },
      { Type: 'tmpfs', Target: '/t' },
    ],
  });
  assert.deepEqual(body['Volumes'], { '/own': {} });
});

test('it joins the networks that the old one was in, its own first, with the addresses that were asked for', () => {
  const networks = {
    a: { Aliases: ['x', ID.slice(0, 12)], IPAMConfig: null, IPAddress: '10.1.0.2', NetworkID: 'id-a' },
    b: {
      Aliases: ['edge'],
      IPAMConfig: { IPv4Address: '10.0.0.9' },
      Links: ['db'],
      DriverOpts: { o: '1' },
      NetworkID: 'id-b',
    },
  };
  const of = (NetworkMode: string, config: object = {}, more: object = {}) =>
    replacementOf(
      inspected(config, { NetworkMode, ...more }, { NetworkSettings: { Networks: networks } }),
      null,
      'a:2',
      41,
    );
  for (const mode of ['b', 'id-b']) {
    const { body, otherNetworks } = of(mode);
    const b = { IPAMConfig: { IPv4Address: '10.0.0.9' }, Links: ['db'], DriverOpts: { o: '1' }, Aliases: ['edge'] };
    assert.deepEqual(JSON.parse(JSON.stringify(body['NetworkingConfig'])), { EndpointsConfig: { b } });
    assert.deepEqual(JSON.parse(JSON.stringify(otherNetworks)), [['a', { IPAMConfig: null, Aliases: ['x'] }]]);
  }
  for (const mode of ['host', 'none', 'container:other']) {
    const { body, otherNetworks } = of(mode, { Hostname: 'edge-1', MacAddress: '02:00:00:00:00:01' });
    assert.deepEqual([body['NetworkingConfig'], otherNetworks], [undefined, []]);
    const isShared = mode === 'container:other';
    assert.deepEqual(
      [body['Hostname'], 'MacAddress' in body, 'ExposedPorts' in body],
      [...(isShared ? [undefined, false, false] : ['edge-1', true, true])],
    );
  }
  assert.equal(of('b', { Hostname: 'host-1' }, { UTSMode: 'host' }).body['Hostname'], undefined);
});

test('a hardware address that was asked for is kept, and one that the engine made up is not', () => {
  const inUse = { MacAddress: '02:42:ac:11:00:02', NetworkID: 'id-b' };
  const made = (api: number, config: object, mode = 'b') => {
    const networks = { NetworkSettings: { Networks: { a: inUse, b: inUse } } };
    const old = inspected(config, { NetworkMode: mode }, networks);
    const { body, otherNetworks } = replacementOf(old, null, 'a:2', api);
    assert.equal(JSON.stringify(otherNetworks).includes('MacAddress'), false);
    const { EndpointsConfig: { b = {} } = {} } = (body['NetworkingConfig'] ?? {}) as {
      EndpointsConfig?: Readonly<Record<string, { readonly MacAddress?: string }>>;
    };
    return [body['MacAddress'], b.MacAddress];
  };
  const MacAddress = '02:00:00:00:00:01';
  assert.deepEqual(made(43, { MacAddress }), [MacAddress, undefined], 'of the container');
  assert.deepEqual(made(44, { MacAddress }), [undefined, MacAddress], 'of its network');
  for (const api of [43, 44, 51]) {
    assert.deepEqual(made(api, {}), [undefined, undefined]);
    assert.deepEqual(made(api, { MacAddress: '' }), [undefined, undefined]);
  }
  assert.deepEqual(made(44, { MacAddress }, 'host'), [undefined, undefined]);
});
