import { mkdirSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { AgentTokenSource, Secret } from '@sallyport/client';
import { rawTls } from '@sallyport/dev-env';
import { agentPaths, normaliseDelegateToken } from '@sallyport/protocol';
import type { Children, Worker, WorkerOptions } from '../../bench/process/children.ts';
import type { ManagerCommands } from '../../bench/servers/manager-process.ts';
import { type Made, makeClient } from '../../packages/trust/test/certificate-maker.ts';
import type { Ability, AccountTarget, Demand, Identity } from '../gauntlet.ts';
import { compose, hear } from '../talk.ts';
import { show } from '../tenants.ts';
import { SecondProcess } from './second-process.ts';
import type { ServerIdentity } from './server-identity.ts';

const TAKE_OUT = new URL('../defences/take-out.ts', import.meta.url);

/** Any JSON, walked into by the names that are expected. */
interface Json {
  readonly [name: string]: Json;
}

interface Account {
  readonly tokens: AgentTokenSource;
  readonly delegateId: string;
}

/** A whole manager as a child process, spoken to over its sockets alone. Its plain host is the public listener. */
export class SallyportTarget implements AccountTarget {
  readonly key = 'sallyport';
  readonly version: string;
  readonly abilities: ReadonlySet<Ability> = new Set<Ability>([
    'modes',
    'tokens',
    'database',
    'revocation lists',
    'denial',
  ]);
  readonly atOnce = 4;
  readonly dataDirectory: string;
  port = 0;
  plain = { port: 0, name: 'localhost' };
  readonly #server: ServerIdentity;
  readonly #environment: Record<string, string>;
  readonly #worker: Worker<ManagerCommands>;
  readonly #second: SecondProcess;
  readonly #leave: () => Promise<void>;
  readonly #accounts = new Map<string, Account>();
  readonly #kept = new Agent({ keepAlive: true });
  #operatorKey = '';
  #others = 0;

  private constructor(
    server: ServerIdentity,
    folder: string,
    second: SecondProcess,
    { worker, leave }: { readonly worker: Worker<ManagerCommands>; leave(): Promise<void> },
  ) {
    this.#server = server;
    this.#worker = worker;
    this.#second = second;
    this.#leave = leave;
    this.version = `Sallyport (Node ${process.versions.node}, OpenSSL ${process.versions.openssl})`;
    mkdirSync(folder, { recursive: true });
    this.dataDirectory = join(folder, 'data');
    const files = { certificate: join(folder, 'server.crt'), key: join(folder, 'server.key') };
    writeFileSync(files.certificate, server.certificatePem);
    writeFileSync(files.key, server.privateKeyPem, { mode: 0o600 });
    this.#environment = {
      SALLYPORT_DATA_DIR: this.dataDirectory,
      SALLYPORT_PUBLIC_LISTEN: '127.0.0.1:0',
      SALLYPORT_MTLS_LISTEN: '127.0.0.1:0',
      SALLYPORT_TLS_MIN_VERSION: '1.2',
      SALLYPORT_TLS_CERTIFICATE_FILE: files.certificate,
      SALLYPORT_TLS_KEY_FILE: files.key,
      SALLYPORT_LOG_LEVEL: 'silent',
    };
  }

  /** `without`: the name of a defence that this manager is to run without. */
  static async start(
    children: Children,
    server: ServerIdentity,
    folder: string,
    without?: string,
  ): Promise<SallyportTarget> {
    // Node reads it once, at its start, from its environment.
    const roots = join(folder, 'system-roots.pem');
    mkdirSync(folder, { recursive: true });
    writeFileSync(roots, server.systemRoot.pem);
    const environment = { ...process.env, NODE_EXTRA_CA_CERTS: roots };
    const startProcess = () =>
      children.worker<ManagerCommands>(
        new URL('../../bench/servers/manager-process.ts', import.meta.url),
        without === undefined ? { environment } : withoutDefence(without, environment),
      );
    const worker = await startProcess();
    const second = new SecondProcess(startProcess);
    const leave = async () => {
      await Promise.all([worker.stop(), second.stop()]);
    };
    const target = new SallyportTarget(server, folder, second, { worker, leave });
    await target.#open();
    return target;
  }

  nameOf(tenant: string): string {
    return tenant === 'plain' ? this.plain.name : `${tenant}.agent.localhost`;
  }

  async addTenant(id: string, authority: Made): Promise<void> {
    await this.#api('POST', '/ng/api/accounts', { identifier: id });
    await this.#api('PATCH', `/ng/api/accounts/${id}`, { mtlsEnabled: true });
    await this.#api('POST', endpointOf(id), { domainPrefix: id, mode: 'STRICT', caCertificates: authority.pem });
    const listed = await this.#api('GET', `/ng/api/delegate-token-ng?accountIdentifier=${id}`);
    const secret = normaliseDelegateToken(String(listed[0]?.['value']));
    if (secret === null) throw new Error(`account ${id} has no default token`);
    const tokens = new AgentTokenSource({
      accountId: id,
      token: new Secret(secret),
      issuer: 'gauntlet',
      audience: 'https://manager',
    });
    const steward = await makeClient({ subject: `steward-of-${id}`, issuer: authority });
    const socket = await rawTls({ port: this.port, serverName: this.nameOf(id), certificate: show(steward) });
    const body = JSON.stringify({ accountId: id, delegateName: DELEGATE, delegateType: 'DOCKER', ng: true });
    const demand = {
      method: 'POST',
      path: `${agentPaths.register}?accountId=${id}`,
      headers: ['Content-Type: application/json', `Authorization: ${await tokens.authorization()}`],
      body,
    };
    const text = await hear(socket, compose(demand, { host: this.nameOf(id) }));
    socket.destroy();
    const delegateId = /"delegateId":"([^"]+)"/.exec(text)?.[1];
    if (delegateId === undefined) throw new Error(`a rightful client of ${id} could not register: ${text}`);
    this.#accounts.set(id, { tokens, delegateId });
  }

  async setAuthorities(id: string, pem: string): Promise<void> {
    await this.#api('PATCH', endpointOf(id), { caCertificates: pem });
  }

  setNoAuthorities(id: string): Promise<void> {
    return this.setAuthorities(id, '');
  }

  async removeTenant(id: string): Promise<void> {
    await this.#api('DELETE', endpointOf(id));
  }

  async removeAccount(id: string): Promise<void> {
    await this.#api('DELETE', `/ng/api/accounts/${id}`);
  }

  async setMode(id: string, mode: 'LOOSE' | 'STRICT'): Promise<void> {
    await this.#api('PATCH', endpointOf(id), { mode });
  }

  async revokeTokens(id: string): Promise<void> {
    const path = `/ng/api/delegate-token-ng?accountIdentifier=${id}`;
    const listed = (await this.#api('GET', path)) as unknown as readonly Json[];
    for (const token of listed) {
      await this.#api('PUT', `${path}&tokenName=${encodeURIComponent(String(token['name']))}`);
    }
  }

  async setRevocationLists(id: string, pem: string): Promise<void> {
    await this.#api('PUT', mtls(id, 'crl'), { crl: pem });
  }

  async deny(id: string, certificate: Parameters<AccountTarget['deny']>[1]): Promise<void> {
    await this.#api('POST', mtls(id, 'denied-certificates'), certificate);
  }

  async setIdentities(id: string, identities: readonly Identity[]): Promise<void> {
    await this.#api('PUT', mtls(id, 'allowed-identities'), { identities });
  }

  async pinDelegate(id: string, fingerprint: string): Promise<void> {
    await this.#api('PUT', mtls(id, `delegates/${DELEGATE}/pinned-certificate`), { fingerprints: [fingerprint] });
  }

  demand(tenant: string): Promise<Demand> {
    return this.demandWith(tenant, tenant);
  }

  async demandWith(accountIdOfPath: string, accountIdOfToken: string): Promise<Demand> {
    const { tokens } = this.#account(accountIdOfToken);
    const { delegateId } = this.#account(accountIdOfPath);
    return {
      method: 'POST',
      path: `${agentPaths.heartbeat}?accountId=${accountIdOfPath}`,
      headers: ['Content-Type: application/json', `Authorization: ${await tokens.authorization()}`],
      body: JSON.stringify({ delegateId, accountId: accountIdOfPath }),
    };
  }

  admits(text: string, tenant: string): boolean {
    const { delegateId } = this.#account(tenant);
    return text.includes(`"delegateId":"${delegateId}","status":"ENABLED"`) || text.includes(' 101 Switching');
  }

  async subjectSeen(tenant: string): Promise<string | null> {
    const path = `/ng/api/delegate-setup/listDelegates?accountIdentifier=${tenant}`;
    const listed = await this.#api('POST', path, { filterType: 'Delegate' });
    const subject: unknown = listed[0]?.['delegateReplicas']?.[0]?.['certificate']?.['subject'];
    return typeof subject === 'string' ? subject : null;
  }

  async streamDemand(tenant: string): Promise<Demand> {
    const { tokens, delegateId } = this.#account(tenant);
    return {
      method: 'GET',
      path: `${agentPaths.stream(delegateId)}?accountId=${tenant}`,
      headers: [...UPGRADE, `Authorization: ${await tokens.authorization()}`],
      body: '',
    };
  }

  async another(): Promise<SallyportTarget> {
    this.#others += 1;
    const folder = `${this.dataDirectory}-${this.#others}`;
    const target = new SallyportTarget(this.#server, folder, this.#second, await this.#second.enter());
    await target.#open().catch(async (error: unknown) => {
      await target.stop();
      throw error;
    });
    return target;
  }

  async restart(whileStopped: () => void = () => undefined): Promise<void> {
    await this.#worker.call('stop', undefined);
    whileStopped();
    await this.#open();
  }

  stop(): Promise<void> {
    this.#kept.destroy();
    return this.#leave();
  }

  async #open(): Promise<void> {
    const { publicPort, mtlsPort, operatorKey } = await this.#worker.call('start', this.#environment);
    this.port = mtlsPort;
    this.plain = { port: publicPort, name: 'localhost' };
    this.#operatorKey = operatorKey ?? this.#operatorKey;
  }

  #account(id: string): Account {
    const account = this.#accounts.get(id);
    if (account === undefined) throw new Error(`the gauntlet made no account ${id}`);
    return account;
  }

  #api(method: string, path: string, body?: unknown): Promise<Json> {
    const payload = body === undefined ? '' : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          host: '127.0.0.1',
          port: this.plain.port,
          servername: 'localhost',
          method,
          path,
          headers: {
            host: 'localhost',
            'x-api-key': this.#operatorKey,
            ...(body !== undefined && { 'content-type': 'application/json' }),
            'content-length': Buffer.byteLength(payload),
          },
          ca: this.#server.authorityPem,
          agent: this.#kept,
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('error', reject);
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString('utf8');
            const status = response.statusCode ?? 500;
            if (status >= 300) return reject(new Error(`${status} ${/"code":"([A-Z_]+)"/.exec(text)?.[1] ?? text}`));
            resolve((JSON.parse(text) as Json)['resource'] as Json);
          });
        },
      );
      sent.on('error', reject);
      sent.end(payload);
    });
  }
}

export const UPGRADE = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: Z2F1bnRsZXQgZ2F1bnRsZQ==',
] as const;

/** Name of every tenant's delegate. */
const DELEGATE = 'gauntlet';

const mtls = (id: string, rest: string): string => `/ng/api/agent/mtls/${rest}?accountIdentifier=${id}`;
const endpointOf = (id: string): string => mtls(id, 'endpoint');

function withoutDefence(name: string, environment: NodeJS.ProcessEnv): WorkerOptions {
  return {
    nodeOptions: ['--disable-warning=ExperimentalWarning', '--import', TAKE_OUT.href],
    environment: { ...environment, GAUNTLET_DEFENCE: name },
  };
}
