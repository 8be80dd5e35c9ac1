import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { type DevAccount, DevAgent, type DevAnswer, type DevManager, KeptConnection } from '@sallyport/dev-env';
import { upgradePaths } from '@sallyport/protocol';

/** The managers' clock of a test file; it moves when a test says so, and a millisecond at each look, so that events have an order. */
export class SetClock {
  // Behind the machine's clock, which judges the certificates that are made by this one.
  #now = Date.now() - 300_000;

  now(): Date {
    this.#now += 1;
    return new Date(this.#now);
  }

  advance(minutes: number): void {
    this.#now += minutes * 60_000;
  }
}

/** An account with an upgrader by hand, on the public listener. */
export class UpgradeRig {
  readonly dev: DevManager;
  readonly account: DevAccount;
  readonly clock: SetClock;
  readonly #t: TestContext;

  private constructor(t: TestContext, dev: DevManager, account: DevAccount, clock: SetClock) {
    this.#t = t;
    this.dev = dev;
    this.account = account;
    this.clock = clock;
  }

  static async create(t: TestContext, dev: DevManager, id: string, clock: SetClock): Promise<UpgradeRig> {
    return new UpgradeRig(t, dev, await dev.account(id), clock);
  }

  async agent(name: string): Promise<DevAgent> {
    const { port } = this.dev.manager.publicAddress;
    const connection = await KeptConnection.open({ port, serverName: 'localhost' });
    this.#t.after(() => connection.close());
    return new DevAgent(connection, {
      accountId: this.account.id,
      token: this.account.token,
      name,
      now: () => this.clock.now().getTime(),
    });
  }

  /** A delegate that registered with this version. */
  async delegate(name: string, version: string, more: Readonly<Record<string, unknown>> = {}): Promise<DevAgent> {
    const agent = await this.agent(name);
    const answer = await agent.register({ version, ...more });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return agent;
  }

  /** One call of an upgrader. */
  async check(current: string, delegateName?: string): Promise<DevAnswer> {
    const query = new URLSearchParams({ currentDelegateImageTag: current, ...(delegateName && { delegateName }) });
    return (await this.agent('upgrader')).call('GET', `${upgradePaths.delegate}?${query}`);
  }

  /** As `check`, answered with the image and whether to take it. */
  async told(current: string, delegateName?: string): Promise<readonly [string, boolean]> {
    const { status, body } = await this.check(current, delegateName);
    assert.equal(status, 200, JSON.stringify(body));
    return [String(body['resource']?.['imageTag']), String(body['resource']?.['shouldUpgrade']) === 'true'];
  }

  publish(image: string, ring = 'stable', more: Readonly<Record<string, unknown>> = {}): Promise<DevAnswer> {
    return this.dev.api('POST', '/ng/api/upgrades/releases', { image, ring, ...more });
  }

  async published(image: string, ring = 'stable', more: Readonly<Record<string, unknown>> = {}): Promise<void> {
    const answer = await this.publish(image, ring, more);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
  }

  ring(ring: string): Promise<unknown> {
    return this.dev.must('PUT', `/ng/api/upgrades/accounts/${this.account.id}/ring`, { ring });
  }

  /** A call of the account's admin below /ng/api. */
  admin(method: string, path: string): Promise<DevAnswer> {
    const separator = path.includes('?') ? '&' : '?';
    return this.dev.api(
      method,
      `/ng/api${path}${separator}accountIdentifier=${this.account.id}`,
      undefined,
      this.account.adminKey,
    );
  }

  async stateOf(name: string): Promise<string> {
    const delegates = await this.dev.must(
      'POST',
      `/ng/api/delegate-setup/listDelegates?accountIdentifier=${this.account.id}`,
      { filterType: 'Delegate', delegateName: name },
    );
    return String(delegates[0]?.['autoUpgrade']);
  }
}
