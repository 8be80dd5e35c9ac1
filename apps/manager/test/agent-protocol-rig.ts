import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import {
  type DevAccount,
  DevAgent,
  type DevAnswer,
  type DevBody,
  DevManager,
  KeptConnection,
} from '@sallyport/dev-env';

// The agent protocol by hand, as clients speak it that we did not write.

export const clock = { ahead: 0, now: () => new Date(Date.now() + clock.ahead) };
export let dev: DevManager;
export let acme: DevAccount;
export let beta: DevAccount;
export const opened: KeptConnection[] = [];

/** Call it at the top of a test file: its tests share one manager with two accounts. */
export function startsManager(): void {
  before(async () => {
    clock.ahead = 0;
    dev = await DevManager.start({ clock });
    acme = await dev.account('acme');
    beta = await dev.account('beta');
  });
  after(async () => {
    for (const connection of opened.splice(0)) connection.close();
    await dev.stop();
  });
}

export let count = 0;
export const unique = (word: string) => {
  count += 1;
  return `${word}-${count}`;
};

export async function plain(): Promise<KeptConnection> {
  const connection = await KeptConnection.open({ port: dev.manager.publicAddress.port, serverName: 'localhost' });
  opened.push(connection);
  return connection;
}

export interface Wish {
  readonly account?: DevAccount;
  readonly token?: string;
  readonly name?: string;
  readonly tags?: readonly string[];
}

export async function unregistered({
  account = acme,
  token = account.token,
  name = unique('delegate'),
  tags = [],
}: Wish = {}) {
  const now = () => clock.now().getTime();
  return new DevAgent(await plain(), { accountId: account.id, token, name, tags, now });
}

export async function registered(wish: Wish = {}, more: Readonly<Record<string, unknown>> = {}): Promise<DevAgent> {
  const agent = await unregistered(wish);
  assert.equal((await agent.register(more)).status, 200);
  return agent;
}

export async function task(
  selectors: readonly string[],
  more: Readonly<Record<string, unknown>> = {},
  account = acme,
): Promise<string> {
  const body = { type: 'ECHO', data: { say: 'hello' }, selectors, ...more };
  const made = await dev.must('POST', `/ng/api/tasks?accountIdentifier=${account.id}`, body, account.adminKey);
  return String(made['id']);
}

export function stored(id: string, wait = 0, account = acme): Promise<DevBody> {
  const query = `accountIdentifier=${account.id}&waitSeconds=${wait}`;
  return dev.must('GET', `/ng/api/tasks/${id}?${query}`, undefined, account.viewerKey);
}

export function refused(answer: DevAnswer, status: number, code: string): void {
  assert.equal(answer.status, status, JSON.stringify(answer.body));
  assert.equal(answer.body['code'], code);
  assert.equal(answer.headers['x-harness-error'], code);
}

export async function connectedIds(delegateName: string): Promise<string[]> {
  const path = '/ng/api/delegate-setup/listDelegates?accountIdentifier=acme';
  const [listed] = (await dev.must('POST', path, { delegateName })) as unknown as {
    delegateReplicas: { uuid: string; connected: boolean }[];
  }[];
  return (listed?.delegateReplicas ?? []).filter(({ connected }) => connected).map(({ uuid }) => uuid);
}
