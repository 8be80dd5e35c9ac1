import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { LOG_SERVICE } from '@sallyport/protocol';

/** Every kind of caller. All but `operator` belong to an account: `other…` to another one than the request is about. */
export const CALLERS = [
  'anonymous',
  'delegate',
  'otherDelegate',
  'viewer',
  'otherViewer',
  'admin',
  'otherAdmin',
  'operator',
] as const;
export type Caller = (typeof CALLERS)[number];

/** `METHOD path` -> who gets past the guard. Everybody else is answered 401 or 403. */
export type AuthorizationMatrix = Readonly<Record<string, readonly Caller[]>>;

export const PUBLIC = CALLERS;
export const AGENTS: readonly Caller[] = ['delegate'];
/** Who holds a log token of the account; for reading, also who holds one of its keys. */
export const LOG_WRITERS: readonly Caller[] = ['delegate'];
export const LOG_READERS: readonly Caller[] = ['delegate', 'viewer', 'admin', 'operator'];
/** Only with a link that we signed. */
export const NOBODY: readonly Caller[] = [];
export const ANY_KEY: readonly Caller[] = ['viewer', 'otherViewer', 'admin', 'otherAdmin', 'operator'];
export const VIEWERS: readonly Caller[] = ['viewer', 'admin', 'operator'];
export const ADMINS: readonly Caller[] = ['admin', 'operator'];
export const OPERATORS: readonly Caller[] = ['operator'];

export interface MatrixSubject {
  /** The account that every request is about. */
  readonly account: string;
  readonly headers: Readonly<Record<Caller, Readonly<Record<string, string>>>>;
  /** Sends one request; resolves with its status. */
  send(
    method: string,
    url: string,
    headers: Readonly<Record<string, string>>,
    body: object | undefined,
  ): Promise<number>;
}

export interface Route {
  readonly method: string;
  /** With its parameters as `:name`. */
  readonly url: string;
}

/**
 * Calls every route as every kind of caller, and compares who got past its guard with the matrix. A route without a row
 * fails, and a row without a route. `build` makes fresh accounts: calls that succeed may change things.
 */
export async function checkAuthorization(
  t: TestContext,
  matrix: AuthorizationMatrix,
  routes: readonly Route[],
  build: () => Promise<MatrixSubject>,
): Promise<void> {
  await t.test('every route has a row, and every row a route', () => {
    assert.deepEqual(routes.map(({ method, url }) => `${method} ${url}`).sort(), Object.keys(matrix).sort());
  });
  let subject = await build();
  for (const { method, url } of routes) {
    const name = `${method} ${url}`;
    const allowed = matrix[name] ?? [];
    await t.test(`${name} is for ${allowed.length === CALLERS.length ? 'everybody' : allowed.join(', ')}`, async () => {
      const passed: Caller[] = [];
      for (const caller of CALLERS) {
        const status = await call(subject, method, url, caller);
        // The log service refuses with 400, as its clients know it.
        if (status === 401 || status === 403 || (status === 400 && url.startsWith(LOG_SERVICE))) continue;
        passed.push(caller);
        if (method !== 'GET' && status < 400) subject = await build();
      }
      assert.deepEqual(passed.sort(), [...allowed].sort());
    });
  }
}

async function call(
  { account, headers, send }: MatrixSubject,
  method: string,
  url: string,
  caller: Caller,
): Promise<number> {
  const path = url.replace(/:(\w+)/g, (_, name: string) => (name === 'accountIdentifier' ? account : 'x'));
  const query = new URLSearchParams({ accountIdentifier: account, accountId: account });
  const isLog = url.startsWith(LOG_SERVICE);
  if (isLog) {
    query.set('accountID', account);
    query.set('key', 'some:1');
    query.set('prefix', method === 'DELETE' ? 'true' : 'runSequence:1');
  }
  const body = isLog ? [] : {};
  const status = await send(
    method,
    `${path}?${query}`,
    headers[caller],
    ['GET', 'DELETE'].includes(method) ? undefined : body,
  );
  assert.ok(status < 500, `${method} ${path} as ${caller}: ${status}`);
  return status;
}
