import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { readDelegateConfig } from '@sallyport/delegate';
import { DevManager, eventually } from '@sallyport/dev-env';
import { ClusterRig, NAME, NAMESPACE } from '../apps/upgrader/test/cluster-rig.ts';
import type { JsonObject } from '../apps/upgrader/test/strategic-merge.ts';

interface PodSpec {
  readonly terminationGracePeriodSeconds: number;
  readonly containers: readonly {
    readonly image: string;
    readonly env: readonly { readonly name: string; readonly value?: string }[];
  }[];
}

/** What a node does with a pod: starts its process, and at its end sends SIGTERM and, when the grace period is over, SIGKILL. */
class Pod {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  readonly #graceMs: number;

  constructor(t: TestContext, spec: PodSpec, environment: Readonly<Record<string, string>>) {
    const main = join(import.meta.dirname, '..', 'apps', 'delegate', 'src', 'main.mjs');
    const args = ['--disable-warning=ExperimentalWarning', main];
    this.child = spawn(process.execPath, args, { env: { ...environment }, stdio: 'ignore' });
    this.exited = once(this.child, 'close').then(([code]) => code);
    this.#graceMs = spec.terminationGracePeriodSeconds * 1000;
    t.after(() => this.child.kill('SIGKILL'));
  }

  terminate(): void {
    this.child.kill('SIGTERM');
    setTimeout(() => this.child.kill('SIGKILL'), this.#graceMs).unref();
  }
}

test('a rolling update lets the running task end within the grace period of the manifest', async (t) => {
  const dev = await DevManager.start();
  t.after(() => dev.stop());
  const rig = await ClusterRig.create(t, dev, 'rolling');
  const spec = () => podSpec(rig.api.object('deployments', NAMESPACE, NAME));
  const environment = () => ({
    ...Object.fromEntries(spec().containers[0]?.env.map(({ name, value = '' }) => [name, value]) ?? []),
    DELEGATE_TOKEN: rig.account.token,
    DELEGATE_CLIENT_CERTIFICATE_PATH: join(rig.folder, 'client.crt'),
    DELEGATE_CLIENT_CERTIFICATE_KEY_PATH: join(rig.folder, 'client.key'),
    SALLYPORT_EXTRA_CA_FILE: join(rig.folder, 'ca.pem'),
    DELEGATE_HEALTH_PORT: '0',
    PATH: '/usr/bin:/bin',
  });
  const { gracePeriodMs } = readDelegateConfig(environment());
  assert.ok(
    gracePeriodMs < spec().terminationGracePeriodSeconds * 1000,
    'the delegate ends its work before it is killed',
  );

  const old = new Pod(t, spec(), environment());
  const task = async (script: string) =>
    String((await tasks(dev, 'POST', '', { type: 'SHELL_SCRIPT', data: { script } }))['id']);
  const statusOf = async (id: string) => String((await tasks(dev, 'GET', `/${id}`))['status']);
  const running = await task(`while [ ! -e ${rig.folder}/go ]; do sleep 0.05; done; echo finished`);
  await eventually('the task runs', async () => (await statusOf(running)) === 'RUNNING');

  await rig.publish('harness/delegate:25.09.86700');
  assert.equal((await rig.run()).exit, 0);
  assert.equal(spec().containers[0]?.image, 'harness/delegate:25.09.86700');
  const next = new Pod(t, spec(), environment());
  await eventually('the new pod is there', async () => (await instances(dev)) === 2);
  old.terminate();
  const after = await task('echo new');
  await eventually('the new pod takes what comes', async () => (await statusOf(after)) === 'SUCCEEDED');
  assert.equal(await statusOf(running), 'RUNNING');
  writeFileSync(join(rig.folder, 'go'), '');
  assert.equal(await old.exited, 0, 'by itself, not killed');
  const { status, result } = await tasks(dev, 'GET', `/${running}`);
  assert.deepEqual([status, result?.['stdout']], ['SUCCEEDED', 'finished\n']);
  assert.equal(next.child.exitCode, null);
});

function podSpec(deployment: JsonObject): PodSpec {
  return (deployment as unknown as { spec: { template: { spec: PodSpec } } }).spec.template.spec;
}

function tasks(dev: DevManager, method: string, path: string, body?: unknown) {
  return dev.must(method, `/ng/api/tasks${path}?accountIdentifier=rolling`, body);
}

async function instances(dev: DevManager): Promise<number> {
  const listed = await dev.must('POST', '/ng/api/delegate-setup/listDelegates?accountIdentifier=rolling', {});
  const replicas = listed[0]?.['delegateReplicas'] as unknown as readonly { connected: boolean }[] | undefined;
  return replicas?.filter(({ connected }) => connected).length ?? 0;
}
