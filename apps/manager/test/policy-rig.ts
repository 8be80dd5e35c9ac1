import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import {
  type DevAccount,
  DevAgent,
  type DevAnswer,
  type DevManager,
  type DevStream,
  eventually,
  KeptConnection,
} from '@sallyport/dev-env';
import type { IssuedPair } from '@sallyport/trust';
import { FleetRig } from './fleet-rig.ts';

/** A change ends what no longer holds within this time of its answer. */
const PROMISE_MS = 250;

/** An account that changes whom of its CA's clients it admits, and a neighbour that trusts the same CA and changes nothing. */
export class PolicyRig {
  readonly dev: DevManager;
  readonly fleet: FleetRig;
  readonly neighbour: DevAccount;
  readonly #t: TestContext;

  private constructor(t: TestContext, fleet: FleetRig, neighbour: DevAccount, dev = fleet.dev) {
    this.#t = t;
    this.dev = dev;
    this.fleet = fleet;
    this.neighbour = neighbour;
  }

  static async create(t: TestContext, dev: DevManager, id: string): Promise<PolicyRig> {
    const fleet = await FleetRig.create(t, dev, id);
    const { certificatePem: caCertificates } = fleet.authority;
    return new PolicyRig(t, fleet, await dev.account(`${id}-next`, { caCertificates, mode: 'LOOSE' }));
  }

  /** The same accounts, at another manager of the same database. */
  through(dev: DevManager): PolicyRig {
    return new PolicyRig(this.#t, this.fleet, this.neighbour, dev);
  }

  get authority() {
    return this.fleet.authority;
  }

  /** A call below /ng/api/agent/mtls by the account's admin. */
  call(method: string, rest: string, body?: unknown, query = ''): Promise<DevAnswer> {
    return this.dev.api(method, this.fleet.path(rest, query), body, this.fleet.account.adminKey);
  }

  /** As `call`, and it has to succeed. */
  async must(method: string, rest: string, body?: unknown, query = ''): Promise<DevAnswer> {
    const answer = await this.call(method, rest, body, query);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return answer;
  }

  /** Sends bytes as they are. */
  async upload(contentType: string, body: Uint8Array | string, query = ''): Promise<DevAnswer> {
    const connection = await KeptConnection.open({
      port: this.dev.manager.publicAddress.port,
      serverName: 'localhost',
    });
    this.#t.after(() => connection.close());
    const headers = { 'x-api-key': this.fleet.account.adminKey, 'content-type': contentType };
    return connection.request('PUT', this.fleet.path('crl', query), { headers, body });
  }

  /** `ADMITTED`, or the code that a new connection with this certificate is refused with; and what it says. */
  async knock(certificate: IssuedPair, account = this.fleet.account): Promise<string> {
    const answer = await this.dev.request(`${this.dev.mtlsUrl(account.id)}/healthz`, { certificate });
    return answer.status === 200 ? 'ADMITTED' : `${answer.body['code']}: ${answer.body['message']}`;
  }

  /** The push stream of a delegate with this certificate. */
  async stream(name: string, certificate: IssuedPair, account = this.fleet.account): Promise<DevStream> {
    const { port } = this.dev.manager.mtlsAddress;
    const serverName = `${account.id}.${this.dev.manager.agentDomain}`;
    const connection = await KeptConnection.open({ port, serverName, certificate });
    this.#t.after(() => connection.close());
    const agent = new DevAgent(connection, { accountId: account.id, token: account.token, name });
    assert.equal((await agent.register()).status, 200);
    return agent.stream();
  }

  /**
   * Makes the change and looks at streams: the ones that it is to cut are told `code` in time, the others stay, and so
   * does the neighbour's, although it comes with the certificate that is cut.
   */
  async cuts(
    code: string,
    change: () => Promise<unknown>,
    { cut, kept = [], with: certificate }: { cut: readonly DevStream[]; kept?: readonly DevStream[]; with: IssuedPair },
  ): Promise<void> {
    const next = await this.stream('next', certificate, this.neighbour);
    await change();
    const answered = performance.now();
    for (const stream of cut) {
      const closed = await eventually('the stream is cut', () => Promise.race([stream.closed, null]));
      assert.equal(closed.code, 4401);
      assert.match(closed.reason, new RegExp(`^${code}: `));
      assert.ok(closed.at - answered < PROMISE_MS, `${Math.round(closed.at - answered)} ms after the answer`);
    }
    for (const stream of [next, ...kept]) assert.equal(stream.isOpen, true, 'nobody else is touched');
    assert.equal(await this.knock(certificate, this.neighbour), 'ADMITTED');
  }

  /** Audit events of the account, newest first. */
  async audit(action: string): Promise<readonly Record<string, unknown>[]> {
    const path = `/ng/api/audit?accountIdentifier=${this.fleet.account.id}`;
    const events = (await this.dev.must('GET', path)) as unknown as Record<string, unknown>[];
    return events.filter((event) => event['action'] === action);
  }
}

/** The codes of an answer's warnings. */
export function warningsOf(answer: DevAnswer): string[] {
  const { warnings } = answer.body['metaData'] as unknown as { warnings: { code: string }[] };
  return warnings.map(({ code }) => code);
}
