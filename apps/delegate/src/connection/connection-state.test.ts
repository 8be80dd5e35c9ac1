import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManagerError, TransportError } from '@sallyport/client';
import { createLogger } from '../logger.ts';
import { ConnectionState } from './connection-state.ts';

function setup() {
  const lines: { level: string; msg: string; [detail: string]: unknown }[] = [];
  const output = { write: (line: string) => lines.push(JSON.parse(line)) > 0 } as unknown as NodeJS.WritableStream;
  let now = 1_000_000;
  const state = new ConnectionState(createLogger('info', output), () => now);
  return { state, lines, advance: (ms: number) => (now += ms) };
}

const refusal = (message = 'the certificate expired 3 days ago') =>
  new ManagerError({ status: 401, code: 'CLIENT_CERTIFICATE_EXPIRED', message, remedy: 'renew it' });

test("a new reason is one line in the manager's own words with its remedy, repetitions are counted", () => {
  const { state, lines } = setup();
  for (let n = 0; n < 25; n += 1) state.failed(refusal(`the certificate expired ${n} days ago`));
  assert.deepEqual(
    lines.map(({ level, msg, remedy, count }) => ({ level, msg, remedy, count })),
    [
      {
        level: 'warn',
        msg: 'the manager refuses this delegate: the certificate expired 0 days ago',
        remedy: 'renew it',
        count: undefined,
      },
      {
        level: 'warn',
        msg: 'the manager refuses this delegate still: the certificate expired 9 days ago',
        remedy: 'renew it',
        count: 10,
      },
    ],
  );
  assert.equal(state.trouble?.count, 25);
  state.failed(new TransportError('CONNECTION_REFUSED', 'nobody there', 'start it'));
  assert.match(lines.at(-1)?.msg ?? '', /no connection to the manager: nobody there/);
  state.connected('push');
  assert.match(lines.at(-1)?.msg ?? '', /connected, tasks are pushed/);
});

test('a reason that goes on is told again every ten minutes', () => {
  const { state, lines, advance } = setup();
  state.failed(refusal());
  state.failed(refusal());
  assert.equal(lines.length, 1);
  advance(600_000);
  state.failed(refusal());
  assert.equal(lines.length, 2);
});

test('a reason that a close frame cut short is not the line: the whole one that follows is', () => {
  const { state, lines } = setup();
  state.failed(refusal('the certificate expired 3 days...'));
  state.failed(refusal());
  assert.deepEqual(
    lines.map(({ level }) => level),
    ['info', 'warn'],
  );
  assert.match(lines[1]?.msg ?? '', /expired 3 days ago$/);
});

test('not reaching the manager at first is still connecting; refusal and loss are one phase of being away', () => {
  const { state, advance } = setup();
  const started = state.since;
  advance(1000);
  state.failed(new TransportError('CONNECTION_REFUSED', 'nobody there', 'start it'));
  assert.deepEqual([state.phase, state.since], ['connecting', started]);
  state.connected('poll');
  advance(1000);
  state.failed(new TransportError('CONNECTION_LOST', 'gone', 'wait'));
  const away = state.since;
  advance(1000);
  state.failed(refusal());
  assert.deepEqual([state.phase, state.since, state.channel], ['refused', away, null]);
});

test('the log redacts what looks like a secret, at a terminal too', () => {
  const texts: string[] = [];
  for (const isTTY of [false, true]) {
    const output = { isTTY, write: (line: string) => texts.push(line) > 0 } as unknown as NodeJS.WritableStream;
    const logger = createLogger('info', output);
    logger.info(
      { headers: { authorization: 'hunter2' }, token: 'hunter2', config: { proxy: { password: 'hunter2' } } },
      'x',
    );
  }
  assert.equal(texts.length, 2);
  assert.ok(!texts.join('').includes('hunter2'));
});
