import type { TestContext } from 'node:test';
import { type DevAccount, DevAgent, type DevManager, KeptConnection, TestAuthority } from '@sallyport/dev-env';
import type { Readiness } from '@sallyport/protocol';
import type { IssuedPair } from '@sallyport/trust';

/** An account with its endpoint, a CA, and delegates by hand that come in plain or through the endpoint. */
export class FleetRig {
  readonly dev: DevManager;
  readonly account: DevAccount;
  readonly authority: TestAuthority;
  readonly #open: KeptConnection[] = [];

  private constructor(dev: DevManager, account: DevAccount, authority: TestAuthority) {
    this.dev = dev;
    this.account = account;
    this.authority = authority;
  }

  static async create(
    t: TestContext,
    dev: DevManager,
    id: string,
    mode: 'LOOSE' | 'STRICT' = 'LOOSE',
  ): Promise<FleetRig> {
    const authority = await TestAuthority.create(`${id} CA`);
    const account = await dev.account(id, { caCertificates: authority.certificatePem, mode });
    const rig = new FleetRig(dev, account, authority);
    t.after(() => {
      for (const connection of rig.#open) connection.close();
    });
    return rig;
  }

  get name(): string {
    return `${this.account.id}.${this.dev.manager.agentDomain}`;
  }

  /** Below /ng/api/agent/mtls, with the account named. */
  path(rest: string, query = ''): string {
    return `/ng/api/agent/mtls/${rest}?accountIdentifier=${this.account.id}${query}`;
  }

  async plainConnection(): Promise<KeptConnection> {
    return this.#keep(KeptConnection.open({ port: this.dev.manager.publicAddress.port, serverName: 'localhost' }));
  }

  async mtlsConnection(certificate: IssuedPair): Promise<KeptConnection> {
    const { port } = this.dev.manager.mtlsAddress;
    return this.#keep(KeptConnection.open({ port, serverName: this.name, certificate }));
  }

  /** A registered delegate without mTLS. */
  async plain(name: string): Promise<DevAgent> {
    return this.#register(await this.plainConnection(), name);
  }

  /** A registered delegate on mTLS, with a certificate of the account's first CA unless one is given. */
  async onMtls(name: string, certificate?: IssuedPair): Promise<DevAgent> {
    return this.#register(await this.mtlsConnection(certificate ?? (await this.authority.client(name))), name);
  }

  /** One request with a certificate that is to be refused; resolves with the code that the client is told. */
  async refused(certificate: IssuedPair): Promise<string> {
    const answer = await this.dev.request(`${this.dev.mtlsUrl(this.account.id)}/healthz`, { certificate });
    return String(answer.body['code']);
  }

  async readiness(query = ''): Promise<Readiness> {
    return (await this.dev.must(
      'GET',
      this.path('readiness', query),
      undefined,
      this.account.viewerKey,
    )) as unknown as Readiness;
  }

  patch(body: object, query = '') {
    return this.dev.api('PATCH', this.path('endpoint', query), body, this.account.adminKey);
  }

  async mode(): Promise<string> {
    return String((await this.dev.must('GET', this.path('endpoint'), undefined, this.account.viewerKey))['mode']);
  }

  async #keep(opening: Promise<KeptConnection>): Promise<KeptConnection> {
    const connection = await opening;
    this.#open.push(connection);
    return connection;
  }

  agentOn(connection: KeptConnection, name: string): DevAgent {
    return new DevAgent(connection, { accountId: this.account.id, token: this.account.token, name });
  }

  async #register(connection: KeptConnection, name: string): Promise<DevAgent> {
    const agent = this.agentOn(connection, name);
    const answer = await agent.register();
    if (answer.status !== 200) throw new Error(`${name} cannot register: ${JSON.stringify(answer.body)}`);
    return agent;
  }
}
