import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { DevManager, eventually } from '@sallyport/dev-env';
import { asideName, REPLACES_LABEL } from '../src/docker/upgrade-container.ts';
import { DIGEST, DockerRig, NEW, OLD } from './docker-rig.ts';
import { MAIN } from './upgrader-process.ts';

const missingDocker = spawnSync('docker', ['--version']).status === 0 ? false : 'docker is not installed';

let dev: DevManager;
before(async () => {
  dev = await DevManager.start();
});
after(() => dev.stop());

test('recreates the container with its own settings and the new image’s, and removes the old one', async (t) => {
  const rig = await DockerRig.create(t, dev, 'docker-ok');
  await rig.publish(NEW);
  const before = rig.engine.byName('edge');
  const { exit, lines } = await rig.runProcess();
  assert.equal(exit, 0, JSON.stringify(lines));
  assert.equal(rig.engine.containers.size, 1);
  const after = rig.engine.byName('edge');
  assert.notEqual(after.id, before.id);
  assert.deepEqual([after.running, after.config['Image'], after.config['Cmd']], [true, NEW, ['./start2.sh']]);
  const variables = ['DELEGATE_NAME=edge-1', `DELEGATE_TOKEN=${rig.account.token}`, 'JAVA_HOME=/opt/21', 'PATH=/bin'];
  assert.deepEqual(after.config['Env'], variables);
  assert.deepEqual(after.config['Labels'], { of: 'image', own: 'yes', [REPLACES_LABEL]: before.id });
  const { Memory, RestartPolicy, NetworkMode } = before.hostConfig;
  assert.partialDeepStrictEqual(after.hostConfig, { Memory, RestartPolicy, NetworkMode });
  assert.deepEqual(after.volumes, before.volumes, 'the same volumes, also those that nobody named');
  assert.deepEqual(Object.keys(after.volumes).sort(), ['/cache', '/data', '/logs', '/opt/work']);
  assert.deepEqual(after.networks['second']?.['IPAMConfig'], { IPv4Address: '10.0.0.9' });
  assert.equal(after.config['Hostname'], after.id.slice(0, 12));
  assert.deepEqual(after.networks['agents']?.['Aliases'], ['the-delegate', after.id.slice(0, 12)]);
  assert.deepEqual(Object.keys(after.networks).sort(), ['agents', 'second']);
  assert.ok(rig.engine.calls.includes(`POST /containers/${before.id}/stop?t=600`));

  assert.equal((await rig.run()).exit, 0);
  assert.equal(rig.engine.byName('edge').id, after.id, 'the second run changes nothing');
});

test('speaks the API version that the engine has, and says so when there is none', async (t) => {
  const rig = await DockerRig.create(t, dev, 'docker-versions');
  for (const versions of [
    ['1.44', '1.52'],
    ['1.24', '1.41'],
  ] as const) {
    await rig.restart();
    await rig.publish(NEW);
    rig.engine.apiVersions = versions;
    const MacAddress = '02:00:00:00:00:01';
    Object.assign(rig.engine.byName('edge').config, { MacAddress });
    const { exit, lines } = await rig.run();
    assert.equal(exit, 0, JSON.stringify(lines));
    const { config, networks } = rig.engine.byName('edge');
    const address = versions[1] === '1.41' ? config['MacAddress'] : networks['second']?.['MacAddress'];
    assert.deepEqual([config['Image'], address], [NEW, MacAddress], versions.join());
  }
  rig.engine.apiVersions = ['1.12', '1.40'];
  const old = await rig.run();
  assert.equal(old.exit, 4);
  assert.match(old.lines.at(-1)?.msg ?? '', /has API version 1\.40; this upgrader speaks 1\.41 to 1\.51/);
  rig.engine.apiVersions = ['1.60', '1.70'];
  const later = await rig.run();
  assert.equal(later.exit, 4);
  assert.match(
    later.lines.at(-1)?.msg ?? '',
    /client version 1\.51 is too old\. Minimum supported API version is 1\.60/,
  );
});

test('puts the old container back when the new one does not register in time, and is not told to try again', async (t) => {
  const rig = await DockerRig.create(t, dev, 'docker-silent');
  const silent = 'harness/delegate:25.10.1';
  rig.engine.registry.set(silent, {});
  await rig.publish(silent);
  const before = rig.engine.byName('edge');
  const { exit, lines } = await rig.run();
  assert.equal(exit, 6, JSON.stringify(lines));
  assert.match(
    lines.at(-1)?.msg ?? '',
    /did not register within 0\.05 minutes\. It runs harness\/delegate:25\.08\.86600 again/,
  );
  assert.deepEqual([...rig.engine.containers.keys()], [before.id]);
  assert.deepEqual([before.name, before.running], ['edge', true]);
  const listed = async () =>
    (await dev.must('GET', `/ng/api/upgrades/account?accountIdentifier=${rig.account.id}`))['attempts']?.[0]?.[
      'outcome'
    ];
  assert.equal(await listed(), 'UNHEALTHY');
  const again = await rig.run();
  assert.deepEqual([again.exit, rig.engine.byName('edge').id], [0, before.id]);
});

test('a container that ends at once, a pull that fails, and an image that is refused leave the old one', async (t) => {
  const rig = await DockerRig.create(t, dev, 'docker-fails');
  const before = rig.engine.byName('edge');
  await rig.publish('harness/delegate:25.11.1');
  const unpulled = await rig.run();
  assert.equal(unpulled.exit, 4);
  assert.match(
    unpulled.lines.at(-1)?.msg ?? '',
    /cannot pull harness\/delegate at 25\.11\.1: manifest for .* not found/,
  );
  assert.ok(!rig.engine.calls.some((call) => call.includes('/stop')), 'nothing was stopped for it');

  await rig.publish('evil/delegate:25.11.2');
  const refused = await rig.run();
  assert.equal(refused.exit, 5);
  assert.match(refused.lines.at(-1)?.msg ?? '', /repository docker\.io\/evil\/delegate is not allowed/);
  assert.ok(!rig.engine.calls.some((call) => call.includes('evil')));

  await rig.publish('harness/delegate:25.12.6');
  rig.engine.registry.set('harness/delegate:25.12.6', {});
  const { onStart } = rig.engine;
  rig.engine.onStart = (container) => (container.id === before.id ? onStart(container) : false);
  const ended = await rig.run();
  assert.equal(ended.exit, 6);
  assert.match(ended.lines.at(-1)?.msg ?? '', /The new container of harness\/delegate:25\.12\.6 ended/);
  assert.deepEqual([rig.engine.byName('edge').id, before.running, rig.engine.containers.size], [before.id, true, 1]);
});

test('finishes what an upgrader that was killed half-way left', async (t) => {
  const rig = await DockerRig.create(t, dev, 'docker-half');
  await rig.publish(OLD);
  const before = rig.engine.byName('edge');
  const ours = { Env: ['DELEGATE_NAME=edge-1'], Labels: { [REPLACES_LABEL]: before.id } };
  before.name = asideName('edge', before.id);
  before.running = false;
  const begun = await rig.engine.run('edge', NEW, ours);
  const dry = await rig.run({ UPGRADER_DRY_RUN: 'true' });
  assert.equal(dry.exit, 0, JSON.stringify(dry.lines));
  assert.deepEqual([...rig.engine.containers.keys()].sort(), [before.id, begun.id].sort(), 'a dry run ends nothing');
  rig.engine.containers.delete(begun.id);
  const first = await rig.run();
  assert.equal(first.exit, 0, JSON.stringify(first.lines));
  assert.deepEqual([before.name, before.running], ['edge', true]);

  before.name = asideName('edge', before.id);
  const made = await rig.engine.run('edge', NEW, ours);
  await rig.publish(NEW);
  const second = await rig.run();
  assert.equal(second.exit, 0, JSON.stringify(second.lines));
  assert.deepEqual([...rig.engine.containers.keys()], [made.id], 'the new one works: it stays');
});

test('an interrupted upgrade is not undone because nobody could be asked about it', async (t) => {
  const rig = await DockerRig.create(t, dev, 'docker-unasked');
  await rig.publish(NEW);
  const before = rig.engine.byName('edge');
  const away = { MANAGER_HOST_AND_PORT: 'https://127.0.0.1:9', UPGRADER_REGISTRATION_MINUTES: '0.01' };
  Object.assign(before, { name: asideName('edge', before.id), running: false });
  const labels = { Env: ['DELEGATE_NAME=edge-1'], Labels: { [REPLACES_LABEL]: before.id } };
  const made = await rig.engine.run('edge', NEW, labels);
  made.startedAt = new Date(Date.now() - 3_600_000).toISOString();
  const unasked = await rig.run(away);
  assert.equal(unasked.exit, 3, unasked.text);
  assert.match(
    unasked.lines.at(-1)?.msg ?? '',
    /Nobody could say whether the delegate of .* registered; it stays as it is/,
  );
  assert.deepEqual([made.name, made.running, before.running], ['edge', true, false]);
  assert.equal((await rig.run()).exit, 0);
  assert.deepEqual([...rig.engine.containers.keys()], [made.id]);
});

test('a delegate that is stopped to go back has the time that its container gives it', async (t) => {
  const rig = await DockerRig.create(t, dev, 'docker-grace');
  const silent = 'harness/delegate:25.12.8';
  rig.engine.registry.set(silent, {});
  await rig.publish(silent);
  Object.assign(rig.engine.byName('edge').config, { StopTimeout: 900 });
  assert.equal((await rig.run({ UPGRADER_REGISTRATION_MINUTES: '0.01' })).exit, 6);
  const graces = rig.engine.calls.flatMap((call) => /\/stop\?t=(\d+)/.exec(call)?.[1] ?? []);
  assert.deepEqual(graces, ['900', '900']);
});

test('a container of somebody else is neither started nor removed, whatever its name', async (t) => {
  const rig = await DockerRig.create(t, dev, 'docker-foreign');
  await rig.publish(NEW);
  const names = ['edge-before-upgrade', `edge-before-upgrade-${'ab'.repeat(6)}`];
  const others = [];
  for (const name of names) others.push(await rig.engine.run(name, NEW, {}));
  for (const other of others) other.running = false;
  assert.equal((await rig.run()).exit, 0);
  assert.deepEqual(
    others.map(({ id, running }) => [rig.engine.containers.has(id), running]),
    [
      [true, false],
      [true, false],
    ],
  );

  const old = rig.engine.byName('edge');
  old.name = asideName('edge', old.id);
  const somebodys = await rig.engine.run('edge', OLD, {});
  const refused = await rig.run();
  assert.equal(refused.exit, 2, refused.text);
  assert.match(
    refused.lines.at(-1)?.msg ?? '',
    /"edge" is not the container that it created: the old one is "edge-before/,
  );
  assert.deepEqual([somebodys.running, rig.engine.containers.size], [true, 4]);
});

test('finds the container of a service of a compose file', async (t) => {
  const rig = await DockerRig.create(t, dev, 'docker-compose');
  await rig.publish(NEW);
  const label = { 'com.docker.compose.service': 'the-service' };
  const container = await rig.engine.run('project-the-service-1', OLD, {
    Env: ['DELEGATE_NAME=edge-1'],
    Labels: label,
  });
  const { exit, lines } = await rig.run({ UPGRADER_WORKLOAD_NAME: 'the-service' });
  assert.equal(exit, 0, JSON.stringify(lines));
  const after = rig.engine.byName('project-the-service-1');
  assert.notEqual(after.id, container.id);
  assert.deepEqual(
    [after.config['Image'], after.config['Labels']],
    [NEW, { of: 'image', ...label, [REPLACES_LABEL]: container.id }],
  );
  await rig.engine.run('project-the-service-2', OLD, { Labels: label });
  const several = await rig.run({ UPGRADER_WORKLOAD_NAME: 'the-service' });
  assert.equal(several.exit, 2);
  assert.match(several.lines.at(-1)?.msg ?? '', /has 2 containers: project-the-service-\d, project-the-service-\d/);
});

test('an image that is pinned to a digest is pulled by it', async (t) => {
  const rig = await DockerRig.create(t, dev, 'docker-digest');
  await rig.publish(`${NEW}@${DIGEST}`);
  rig.engine.images.set(`${NEW}@${DIGEST}`, { id: 'sha256:1', config: {}, repoDigests: [] });
  const { exit, lines } = await rig.run({ UPGRADER_REQUIRE_DIGEST: 'true' });
  assert.equal(exit, 0, JSON.stringify(lines));
  assert.ok(
    rig.engine.calls.includes(`POST /images/create?fromImage=harness%2Fdelegate&tag=${encodeURIComponent(DIGEST)}`),
  );
});

test('says what is wrong with a socket, a container that is not there, and one that cannot be put back', async (t) => {
  const rig = await DockerRig.create(t, dev, 'docker-wrong');
  await rig.publish(NEW);
  const absent = await rig.run({ UPGRADER_DOCKER_SOCKET: join(rig.folder, 'none.sock') });
  assert.equal(absent.exit, 4);
  assert.match(absent.lines.at(-1)?.msg ?? '', /none\.sock was not reached.*ENOENT/);
  const other = await rig.run({ UPGRADER_WORKLOAD_NAME: 'other' });
  assert.equal(other.exit, 2);
  assert.match(other.lines.at(-1)?.msg ?? '', /no container "other"/);
  const dry = await rig.run({ UPGRADER_WORKLOAD_NAME: 'other/../edge' });
  assert.equal(dry.exit, 2);
  const container = rig.engine.byName('edge');
  rig.engine.containers.set(container.id, { ...container, hostConfig: { AutoRemove: true } });
  const fleeting = await rig.run();
  assert.equal(fleeting.exit, 2);
  assert.match(fleeting.lines.at(-1)?.msg ?? '', /--rm/);
});

test('signs in to the image’s registry with what docker login stored, and logs none of it', async (t) => {
  const rig = await DockerRig.create(t, dev, 'docker-auth');
  await rig.publish(NEW);
  const auth = Buffer.from('me:s3cret').toString('base64');
  const auths = { 'https://index.docker.io/v1/': { auth }, 'other.example.com': { auth: 'eDp5' } };
  writeFileSync(join(rig.folder, 'config.json'), JSON.stringify({ auths }));
  const { exit, text } = await rig.run({ UPGRADER_DOCKER_CONFIG: join(rig.folder, 'config.json') });
  assert.equal(exit, 0, text);
  const serveraddress = 'https://index.docker.io/v1/';
  assert.deepEqual(JSON.parse(rig.engine.registryAuth.at(-1) ?? ''), {
    username: 'me',
    password: 's3cret',
    serveraddress,
  });
  assert.ok(!text.includes('s3cret') && !text.includes(auth));
  const named = await rig.run({ UPGRADER_DOCKER_CONFIG: join(rig.folder, 'none.json') });
  assert.equal(named.exit, 0, 'nothing to pull, nothing to sign in for');
});

/** Upgrades as often as there are calls that change something; each time one call more is heard before nothing is. */
async function killedAtEachChange(rig: DockerRig, image: string, expected: string): Promise<number> {
  for (let heard = 0; ; heard++) {
    await rig.restart();
    // Published anew: the manager does not give a version twice to a delegate that went back from it.
    await rig.publish(image);
    let changes = 0;
    rig.engine.onCall = (call) => {
      if (!call.startsWith('GET')) changes += 1;
      return changes <= heard;
    };
    await rig.run();
    rig.engine.onCall = () => true;
    const next = await rig.run();
    const left = [...rig.engine.containers.values()].map(({ name, running, config }) => [
      name,
      running,
      config['Image'],
    ]);
    assert.deepEqual(left, [['edge', true, expected]], `after ${heard} changes: ${next.text}`);
    if (changes <= heard) return changes;
  }
}

test('killed at any call, the next run leaves one delegate that runs and works', async (t) => {
  const rig = await DockerRig.create(t, dev, 'docker-killed');
  const changes = await killedAtEachChange(rig, NEW, NEW);
  assert.equal(changes, 7, 'pull, rename, stop, create, connect, start, remove; and nothing after that');
});

test('killed at any call of a way back, the next run leaves the old delegate, and running', async (t) => {
  const rig = await DockerRig.create(t, dev, 'docker-killed-back');
  const ends = 'harness/delegate:25.12.7';
  rig.engine.registry.set(ends, {});
  const { onStart } = rig.engine;
  rig.engine.onStart = (container) => container.config['Image'] !== ends && onStart(container);
  const changes = await killedAtEachChange(rig, ends, OLD);
  assert.equal(changes, 10, 'pull, rename, stop, create, connect, start; stop, remove, start, rename');
});

test('a delegate that somebody stopped is not started by an upgrade', async (t) => {
  const rig = await DockerRig.create(t, dev, 'docker-stopped');
  await rig.publish(NEW);
  const container = rig.engine.byName('edge');
  container.running = false;
  const { exit, text } = await rig.run();
  assert.equal(exit, 0);
  assert.match(text, /it is not running, and is left as it is/);
  assert.deepEqual([rig.engine.byName('edge').id, container.running], [container.id, false]);
});

test('with a schedule it goes on until it is told to stop', async (t) => {
  const rig = await DockerRig.create(t, dev, 'docker-schedule');
  await rig.publish(NEW);
  const child = spawn(process.execPath, MAIN, {
    env: rig.environment({ SCHEDULE: '0 */1 * * *', UPGRADER_REGISTRATION_MINUTES: '1' }),
    stdio: 'ignore',
  });
  t.after(() => child.kill('SIGKILL'));
  const exited = once(child, 'exit');
  await eventually(
    'the first look upgrades',
    () => rig.engine.find('edge')?.config['Image'] === NEW && rig.engine.containers.size === 1,
  );
  child.kill('SIGTERM');
  assert.deepEqual(await exited, [0, null]);
});

test('docker, which nobody here wrote, reads the same engine', { skip: missingDocker }, async (t) => {
  const rig = await DockerRig.create(t, dev, 'docker-cli');
  const { stdout } = await promisify(execFile)(
    'docker',
    ['--host', `unix://${join(rig.folder, 'docker.sock')}`, 'inspect', 'edge'],
    {
      env: { PATH: process.env['PATH'], HOME: rig.folder },
    },
  );
  assert.equal(JSON.parse(stdout)[0].Config.Image, OLD);
});
