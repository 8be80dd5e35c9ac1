import assert from 'node:assert/strict';
import type { LookupAddress } from 'node:dns';
import { test } from 'node:test';
import { KillableResolver } from './killable-resolver.ts';

const ask = (resolver: KillableResolver, name: string): Promise<readonly LookupAddress[]> =>
  new Promise((resolve, reject) => {
    resolver.lookup(name, { all: true }, (error, found) => {
      if (error) reject(error);
      else resolve(typeof found === 'string' ? [] : found);
    });
  });

test('names are resolved as this machine resolves them, each is asked once, and *.localhost never', async () => {
  const resolver = new KillableResolver();
  assert.deepEqual(await ask(resolver, '127.0.0.1'), [{ address: '127.0.0.1', family: 4 }]);
  await assert.rejects(ask(resolver, 'nosuch.invalid'), ({ code }: NodeJS.ErrnoException) => /^E/.test(code ?? ''));
  const none = new KillableResolver([process.execPath, '-e', 'process.exit(1)', '--']);
  assert.equal((await ask(none, 'acme.agent.localhost'))[0]?.address, '127.0.0.1');
  const once = `process.stdout.write(JSON.stringify({ found: [{ address: String(process.pid), family: 4 }] }))`;
  const counting = new KillableResolver([process.execPath, '-e', once, '--']);
  const [left, right] = await Promise.all([ask(counting, 'a.example'), ask(counting, 'a.example')]);
  assert.deepEqual(left, right);
});

test('a question that nobody answers ends when the resolver is closed', async () => {
  const resolver = new KillableResolver([process.execPath, '-e', 'setInterval(() => undefined, 1_000_000)', '--']);
  const unanswered = ask(resolver, 'silent.example');
  resolver.close();
  await assert.rejects(unanswered, { code: 'EAI_AGAIN' });
});

test('where no process can be started, the name is resolved here', async () => {
  const resolver = new KillableResolver(['/nonexistent/node']);
  assert.deepEqual(await ask(resolver, '127.0.0.1'), [{ address: '127.0.0.1', family: 4 }]);
});
