import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type DevAccount, DevAgent, type DevManager, KeptConnection } from '@sallyport/dev-env';
import { type Container, DockerEngineStandIn } from './docker-engine.ts';
import { type Run, runHere, runProcess } from './upgrader-process.ts';

export const OLD = 'harness/delegate:25.08.86600';
export const NEW = 'harness/delegate:25.09.86700';
export const DIGEST = `sha256:${'cd'.repeat(32)}`;

/** A docker host with a delegate's container, whose process registers with the version of its image. */
export class DockerRig {
  readonly dev: DevManager;
  readonly engine: DockerEngineStandIn;
  readonly account: DevAccount;
  readonly folder: string;
  /** Versions whose delegate comes up. */
  readonly working = new Set(['25.08.86600', '25.09.86700']);
  readonly #t: TestContext;
  readonly #agents = new Map<string, DevAgent>();

  private constructor(
    t: TestContext,
    parts: { dev: DevManager; engine: DockerEngineStandIn; account: DevAccount; folder: string },
  ) {
    this.#t = t;
    this.dev = parts.dev;
    this.engine = parts.engine;
    this.account = parts.account;
    this.folder = parts.folder;
  }

  static async create(t: TestContext, dev: DevManager, id: string): Promise<DockerRig> {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-docker-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    writeFileSync(join(folder, 'ca.pem'), dev.serverCa);
    const engine = await DockerEngineStandIn.start(join(folder, 'docker.sock'));
    t.after(() => engine.stop());
    const rig = new DockerRig(t, { dev, engine, account: await dev.account(id), folder });
    const image = {
      ...{ Cmd: ['./start.sh'], Env: ['JAVA_HOME=/opt/17', 'PATH=/bin'], Labels: { of: 'image' } },
      Volumes: { '/opt/work': {} },
    };
    engine.registry.set(OLD, image);
    const next = { ...image, Cmd: ['./start2.sh'], Env: ['JAVA_HOME=/opt/21', 'PATH=/bin'] };
    engine.registry.set(NEW, next);
    engine.registry.set(`harness/delegate@${DIGEST}`, next);
    engine.onStart = (container) => rig.#started(container);
    engine.onStop = (container) => rig.#stopped(container);
    await rig.#begin();
    return rig;
  }

  async #begin(): Promise<void> {
    const settings = {
      Env: ['DELEGATE_NAME=edge-1', `DELEGATE_TOKEN=${this.account.token}`],
      Labels: { own: 'yes' },
      Volumes: { '/cache': {} },
      HostConfig: {
        ...{ Memory: 2147483648, Binds: ['/etc/mtls:/etc/mtls:ro', 'kept:/data'], RestartPolicy: { Name: 'always' } },
        ...{ NetworkMode: 'second', Mounts: [{ Type: 'volume', Target: '/logs' }] },
      },
      NetworkingConfig: { EndpointsConfig: { second: { IPAMConfig: { IPv4Address: '10.0.0.9' } } } },
    };
    await this.engine.run('edge', OLD, settings, { agents: { Aliases: ['the-delegate'] } });
  }

  /** Back to one container of the old version. */
  async restart(): Promise<void> {
    for (const container of this.engine.containers.values()) await this.#stopped(container);
    this.engine.containers.clear();
    await this.#begin();
  }

  run(more: Readonly<Record<string, string>> = {}): Promise<Run> {
    return runHere(this.environment(more));
  }

  runProcess(): Promise<Run> {
    return runProcess(this.#t, this.environment());
  }

  environment(more: Readonly<Record<string, string>> = {}): Record<string, string> {
    return {
      ACCOUNT_ID: this.account.id,
      MANAGER_HOST_AND_PORT: this.dev.publicUrl,
      UPGRADER_WORKLOAD_NAME: 'edge',
      UPGRADER_TOKEN: this.account.token,
      UPGRADER_DOCKER_SOCKET: join(this.folder, 'docker.sock'),
      SALLYPORT_EXTRA_CA_FILE: join(this.folder, 'ca.pem'),
      UPGRADER_REGISTRATION_MINUTES: '0.05',
      ...more,
    };
  }

  async #started({ id, config }: Container): Promise<boolean> {
    const version = /:([\d.]+)/.exec(String(config['Image']))?.[1] ?? '';
    if (!this.working.has(version)) return true;
    const { port } = this.dev.manager.publicAddress;
    const connection = await KeptConnection.open({ port, serverName: 'localhost' });
    this.#t.after(() => connection.close());
    const { id: accountId, token } = this.account;
    const agent = new DevAgent(connection, { accountId, token, name: 'edge-1' });
    await agent.register({ version, hostName: String(config['Hostname']) });
    this.#agents.set(id, agent);
    return true;
  }

  async #stopped({ id }: Container): Promise<void> {
    const agent = this.#agents.get(id);
    if (agent !== undefined) await agent.call('POST', '/api/agent/delegates/unregister', { delegateId: agent.id });
  }

  /** For everybody, whatever they have. */
  async publish(image: string): Promise<void> {
    const body = { image, ring: 'stable', force: true, allowOlder: true };
    await this.dev.must('POST', '/ng/api/upgrades/releases', body);
  }
}
