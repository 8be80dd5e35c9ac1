import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { DevManager } from '@sallyport/dev-env';
import { Cluster } from '../src/kubernetes/cluster.ts';
import { ClusterRig, NAME, NAMESPACE, SERVICE_ACCOUNT_TOKEN } from './cluster-rig.ts';
import { KubernetesApi } from './kubernetes-api.ts';
import { isObject } from './strategic-merge.ts';

const NEW = 'harness/delegate:25.09.86700';
const OLD = 'harness/delegate:25.08.86600';
const missingKubectl = spawnSync('kubectl', ['version', '--client']).error ? 'kubectl is not installed' : false;

let dev: DevManager;
before(async () => {
  dev = await DevManager.start();
});
after(() => dev.stop());

test('asks a STRICT account over mTLS and sets the image of the delegate, with the rights of its manifest', async (t) => {
  const rig = await ClusterRig.create(t, dev, 'sets');
  await rig.publish(NEW);
  const { exit, lines } = await rig.runProcess();
  assert.equal(exit, 0, JSON.stringify(lines));
  assert.deepEqual([rig.image(), rig.image('cronjobs')], [NEW, 'harness/upgrader:25.08.1']);
  assert.match(
    lines.map(({ msg }) => msg).join('\n'),
    /goes from harness\/delegate:25\.08\.86600 to harness\/delegate:25\.09\.86700/,
  );
  const after = rig.api.object('deployments', NAMESPACE, NAME);
  const before = JSON.stringify(rig.deployment['spec']);
  assert.equal(JSON.stringify(after['spec']), before.replace(OLD, NEW), 'nothing else was changed');

  const again = await rig.run();
  assert.equal(again.exit, 0);
  assert.equal(rig.api.calls.filter(({ verb }) => verb === 'patch').length, 1, 'the second run patches nothing');
});

test('keeps its own CronJob current too', async (t) => {
  const rig = await ClusterRig.create(t, dev, 'itself');
  await rig.publish('harness/upgrader:25.09.1', 'UPGRADER');
  assert.equal((await rig.run()).exit, 0);
  assert.equal(rig.image('cronjobs'), 'harness/upgrader:25.09.1');
  await dev.must('POST', '/ng/api/upgrades/rings/stable/halt', { component: 'UPGRADER' });
});

test('its patch is the one of kubectl set image, and kubectl reads what it did', {
  skip: missingKubectl,
}, async (t) => {
  const rig = await ClusterRig.create(t, dev, 'kubectl');
  await rig.publish(NEW);
  assert.equal((await rig.run()).exit, 0);
  const kubectl = async (...args: string[]) =>
    (
      await promisify(execFile)('kubectl', ['--kubeconfig', rig.kubeconfig, '--namespace', NAMESPACE, ...args], {
        env: { PATH: process.env['PATH'], HOME: rig.folder },
      })
    ).stdout;
  const read = JSON.parse(await kubectl('get', 'deployment', NAME, '--output', 'json'));
  assert.equal(read.spec.template.spec.containers[0].image, NEW);
  const names = [
    await kubectl('get', 'deploy', NAME, '-o', 'name'),
    await kubectl('get', 'cj', `${NAME}-upgrader-job`, '-o', 'name'),
  ];
  assert.deepEqual(names, [`deployment.apps/${NAME}\n`, `cronjob.batch/${NAME}-upgrader-job\n`]);

  const ours = rig.api.calls.find(({ verb }) => verb === 'patch');
  rig.api.put(rig.deployment);
  await kubectl('set', 'image', `deployment/${NAME}`, `delegate=${NEW}`);
  const theirs = rig.api.calls.findLast(({ verb }) => verb === 'patch');
  assert.equal(rig.image(), NEW);
  assert.equal(ours?.contentType?.split(';')[0], theirs?.contentType);
  const spec = JSON.stringify(theirs?.body?.['spec']).replace(/"\$setElementOrder[^\]]*\],/, '');
  assert.deepEqual(JSON.parse(spec), ours?.body?.['spec']);

  rig.allow([]);
  await assert.rejects(
    kubectl('get', 'deployment', NAME),
    /Error from server \(Forbidden\): deployments\.apps "edge" is forbidden/,
  );
});

test('a dry run shows the patch and changes nothing', async (t) => {
  const rig = await ClusterRig.create(t, dev, 'dry');
  await rig.publish(NEW);
  const { exit, lines } = await rig.run({ dryRun: true });
  assert.deepEqual([exit, rig.image()], [0, OLD]);
  const shown = lines.find(({ patch }) => patch !== undefined)?.patch;
  assert.ok(isObject(shown));
  assert.deepEqual(shown['spec'], { template: { spec: { containers: [{ name: 'delegate', image: NEW }] } } });
  assert.ok(rig.api.calls.every(({ verb }) => verb === 'get'));
});

test('with one verb fewer than the manifest gives it fails and names the missing one', async (t) => {
  const rig = await ClusterRig.create(t, dev, 'rights');
  const used = new Set<string>();
  for (const [index, rule] of rig.rules.entries()) {
    for (const verb of rule.verbs) {
      const [group = ''] = rule.apiGroups;
      const [resource = ''] = rule.resources;
      await rig.publish(NEW);
      await rig.publish('harness/upgrader:25.10.1', 'UPGRADER');
      rig.api.put(rig.deployment);
      rig.allow(rig.rules.with(index, { ...rule, verbs: rule.verbs.filter((each) => each !== verb) }));
      const { exit, lines } = await rig.run();
      assert.equal(exit, 4, `${verb} ${resource}: ${JSON.stringify(lines)}`);
      const failure = lines.at(-1);
      assert.match(failure?.msg ?? '', new RegExp(`cannot ${verb} resource "${resource}" in API group "${group}"`));
      assert.match(failure?.remedy ?? '', new RegExp(`verb "${verb}" on ${resource} of the API group "${group}"`));
      used.add(`${verb} ${resource}`);
    }
  }
  assert.deepEqual([...used].sort(), ['get cronjobs', 'get deployments', 'patch cronjobs', 'patch deployments']);
  await dev.must('POST', '/ng/api/upgrades/rings/stable/halt', { component: 'UPGRADER' });
});

test('what somebody else sets in between is not overwritten', async (t) => {
  const rig = await ClusterRig.create(t, dev, 'conflict');
  await rig.publish(NEW);
  const newest = 'harness/delegate:25.12.1';
  let times = 0;
  rig.api.interfere = ({ verb, resource }) => {
    if (verb !== 'patch' || resource !== 'deployments' || times > 0) return;
    times += 1;
    rig.api.put(JSON.parse(JSON.stringify(rig.deployment).replace(OLD, newest)));
  };
  const { exit, lines } = await rig.run();
  assert.deepEqual([exit, times, rig.image()], [0, 1, newest], JSON.stringify(lines));
  assert.equal(rig.api.calls.find(({ verb }) => verb === 'patch')?.status, 409);

  rig.api.put(rig.deployment);
  rig.api.interfere = ({ verb }) => {
    if (verb === 'patch') rig.api.put(rig.deployment);
  };
  const never = await rig.run();
  assert.deepEqual([never.exit, rig.image()], [4, OLD]);
  assert.match(never.lines.at(-1)?.msg ?? '', /somebody else changed it each of 5 times/);
});

test('an API server that says nothing, is not there, or is not the one of the kubeconfig ends the run', async (t) => {
  const rig = await ClusterRig.create(t, dev, 'hangs');
  await rig.publish(NEW);
  const { promise: hanging, resolve: release } = Promise.withResolvers<void>();
  rig.api.interfere = () => hanging;
  const hung = await rig.run({ callTimeoutSeconds: 1 });
  release();
  assert.equal(hung.exit, 4);
  assert.match(
    hung.lines.at(-1)?.msg ?? '',
    /was not reached \(get deployments\.apps "edge"\): it did not answer in time/,
  );

  rig.api.interfere = () => undefined;
  const other = await KubernetesApi.start();
  t.after(() => other.stop());
  const kubeconfig = rig.api.kubeconfig('any');
  rig.api.kubeconfig = () => kubeconfig.replace(rig.api.url, other.url);
  const foreign = await rig.run();
  assert.equal(foreign.exit, 4);
  assert.match(foreign.lines.at(-1)?.msg ?? '', /was not reached.*certificate/);
  assert.equal(other.calls.length, 0);

  const closed = createServer();
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
  const address = closed.address();
  await new Promise((resolve) => closed.close(resolve));
  const port = typeof address === 'object' ? address?.port : 0;
  rig.api.kubeconfig = () => kubeconfig.replace(rig.api.url, `https://127.0.0.1:${port}`);
  const gone = await rig.run();
  assert.equal(gone.exit, 4);
  assert.match(gone.lines.at(-1)?.msg ?? '', /was not reached.*ECONNREFUSED/);

  for (const unsafe of [
    kubeconfig.replace('"certificate-authority-data":', '"insecure-skip-tls-verify":true,"x":'),
    kubeconfig.replace('https:', 'http:'),
  ]) {
    rig.api.kubeconfig = () => unsafe;
    assert.equal((await rig.run()).exit, 2);
  }
});

test('a token that the API server does not know, and a Deployment or container that is not there, are named', async (t) => {
  const rig = await ClusterRig.create(t, dev, 'absent');
  await rig.publish(NEW);
  rig.allow([{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }]);
  const failures = [
    [{ workloadName: 'other' }, /no Deployment "other" in the namespace/],
    [{ containerName: 'other' }, /Deployment harness-delegate-ng\/edge has no container "other"; it has delegate/],
    [{ cronJobName: 'other' }, /no CronJob "other"/],
  ] as const;
  for (const [keys, message] of failures) {
    const { exit, lines } = await rig.run(keys);
    assert.equal(exit, 2);
    assert.match(lines.at(-1)?.msg ?? '', message);
  }
  const kubeconfig = rig.api.kubeconfig('unknown');
  rig.api.kubeconfig = () => kubeconfig;
  const { exit, lines, text } = await rig.run();
  assert.equal(exit, 4);
  assert.match(lines.at(-1)?.msg ?? '', /does not accept the credentials/);
  assert.ok(!text.includes('unknown') && !text.includes(rig.account.token));
});

test('a delegate image that is refused does not keep the upgrader from keeping itself current', async (t) => {
  const rig = await ClusterRig.create(t, dev, 'refused-both');
  await rig.publish('evil/delegate:25.09.86700');
  await rig.publish('harness/upgrader:25.10.2', 'UPGRADER');
  const one = await rig.run();
  assert.deepEqual([one.exit, rig.image(), rig.image('cronjobs')], [5, OLD, 'harness/upgrader:25.10.2'], one.text);
  assert.match(one.lines.at(-1)?.msg ?? '', /repository docker\.io\/evil\/delegate is not allowed here/);
  const both = await rig.run({ cronJobName: 'other' });
  assert.equal(both.exit, 5);
  const errors = both.lines.filter(({ level }) => level === 'error').map(({ msg }) => msg);
  assert.match(errors.join('\n'), /get cronjobs\.batch "other"[\s\S]*evil\/delegate is not allowed here/);
  await dev.must('POST', '/ng/api/upgrades/rings/stable/halt', { component: 'UPGRADER' });
});

test('an image of another repository is refused, and nothing is patched', async (t) => {
  const rig = await ClusterRig.create(t, dev, 'foreign');
  const foreign = 'us-docker.pkg.dev/other/delegate:25.09.86701';
  await rig.publish(foreign);
  const { exit, lines } = await rig.run();
  assert.deepEqual([exit, rig.image()], [5, OLD]);
  assert.match(lines.at(-1)?.msg ?? '', /whose repository us-docker\.pkg\.dev\/other\/delegate is not allowed here/);
  assert.match(lines.at(-1)?.remedy ?? '', /Add "us-docker\.pkg\.dev\/other\/delegate" to allowedRepositories/);
  const allowed = await rig.run({ allowedRepositories: ['us-docker.pkg.dev/other/*'], registryMirror: 'mirror:5000' });
  assert.deepEqual([allowed.exit, rig.image()], [0, 'mirror:5000/other/delegate:25.09.86701']);
  await rig.publish(NEW, 'DELEGATE', true);
});

test('the manager is asked through the proxy of the configuration', async (t) => {
  const rig = await ClusterRig.create(t, dev, 'proxied');
  await rig.publish(NEW);
  const asked: string[] = [];
  const proxy = createHttpServer();
  proxy.on('connect', (request, client) => {
    asked.push(`${request.url} ${request.headers['proxy-authorization']}`);
    const { port } = new URL(`https://${request.url}`);
    const upstream = connect(Number(port), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      client.pipe(upstream).pipe(client);
    });
    for (const socket of [client, upstream]) socket.on('error', () => upstream.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  t.after(() => proxy.close());
  const { port } = proxy.address() as AddressInfo;
  const keys = {
    proxyScheme: 'http',
    proxyHost: '127.0.0.1',
    proxyPort: port,
    proxyUser: 'me',
    proxyPassword: 's3cret',
  };
  const { exit, text } = await rig.run(keys);
  assert.deepEqual([exit, rig.image()], [0, NEW]);
  const credentials = Buffer.from('me:s3cret').toString('base64');
  assert.deepEqual([...new Set(asked)], [`${new URL(dev.mtlsUrl('proxied')).host} Basic ${credentials}`]);
  assert.ok(!text.includes('s3cret'));
});

test('in a pod it is the service account that reads and patches', async (t) => {
  const rig = await ClusterRig.create(t, dev, 'pod');
  const files = join(rig.folder, 'var', 'run', 'secrets', 'kubernetes.io', 'serviceaccount');
  mkdirSync(files, { recursive: true });
  writeFileSync(join(files, 'ca.crt'), rig.api.caPem);
  writeFileSync(join(files, 'token'), SERVICE_ACCOUNT_TOKEN);
  const pod = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: new URL(rig.api.url).port };
  Object.assign(process.env, pod);
  t.after(() => {
    for (const name of Object.keys(pod)) delete process.env[name];
  });
  const cluster = Cluster.load(null, 5000, rig.folder);
  const workload = await cluster.read({ kind: 'Deployment', name: NAME, namespace: NAMESPACE });
  assert.ok(workload !== null);
  assert.equal(await cluster.setImage(workload, 'delegate', NEW), true);
  assert.equal(rig.image(), NEW);
  assert.equal(await cluster.setImage(workload, 'delegate', OLD), false, 'of a state that is gone');
});

test('a manager that refuses is quoted, and nothing is changed', async (t) => {
  const rig = await ClusterRig.create(t, dev, 'refused');
  await rig.publish(NEW);
  const plain = await rig.run({ delegateConfig: { accountId: 'refused', managerHost: dev.publicUrl } });
  assert.equal(plain.exit, 3);
  assert.match(plain.lines.at(-1)?.msg ?? '', /INVALID_AGENT_MTLS_AUTHORITY/);
  const other = await dev.account('refused-other');
  const foreign = await rig.run({}, { UPGRADER_TOKEN: other.token });
  assert.equal(foreign.exit, 3);
  assert.match(foreign.lines.at(-1)?.msg ?? '', /INVALID_TOKEN/);
  assert.equal(rig.image(), OLD);
});
