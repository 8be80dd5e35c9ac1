import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '@sallyport/dev-env';
import { pino } from 'pino';
import { type RefusalGroup, type RefusalRecord, RefusalRecorder, type RefusalWriter } from './refusal-recorder.ts';

/** A store that remembers what it was given, and can be slow or fail. */
class Shelf implements RefusalWriter {
  readonly writes: RefusalGroup[][] = [];
  hold: Promise<void> = Promise.resolve();
  async add(groups: readonly RefusalGroup[]): Promise<void> {
    this.writes.push([...groups]);
    await this.hold;
  }
  get groups(): RefusalGroup[] {
    return this.writes.flat();
  }
}

function recorder(shelf: Shelf): { recorder: RefusalRecorder; clock: { at: number }; log: () => string } {
  const lines: string[] = [];
  const clock = { at: 1_000, now: () => new Date(clock.at) };
  const logger = pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) });
  return { recorder: new RefusalRecorder(shelf, clock, logger), clock, log: () => lines.join('') };
}

function refusal(change: Partial<RefusalRecord> = {}): RefusalRecord {
  return {
    accountId: 'acme',
    reason: 'UNKNOWN_ISSUER',
    message: 'm',
    remedy: 'r',
    serverName: 'acme.agent.localhost',
    remoteAddress: '192.0.2.1',
    certificate: null,
    ...change,
  };
}

const certificate = (fingerprint: string) => ({
  subject: 'CN=x',
  issuer: 'CN=y',
  serialNumber: '01',
  fingerprint,
  notBefore: 1,
  notAfter: 2,
  names: [],
});

test('refusals of one cause by one client are one group: a client is its certificate, or else its address', async () => {
  const shelf = new Shelf();
  const { recorder: made, clock } = recorder(shelf);
  made.record(refusal());
  clock.at = 2_000;
  made.record(refusal({ message: 'later' }));
  made.record(refusal({ remoteAddress: '192.0.2.2' }));
  made.record(refusal({ reason: 'NO_CLIENT_CERTIFICATE' }));
  made.record(refusal({ accountId: 'beta' }));
  made.record(refusal({ accountId: null }));
  made.record(refusal({ certificate: certificate('aa') }));
  made.record(refusal({ certificate: certificate('aa'), remoteAddress: '192.0.2.9' }));
  made.record(refusal({ certificate: certificate('bb') }));
  await made.flush();
  const [first] = shelf.groups;
  assert.equal(first?.count, 2);
  assert.equal(first?.firstSeen, 1_000);
  assert.equal(first?.lastSeen, 2_000);
  assert.equal(first?.message, 'later');
  assert.deepEqual(
    shelf.groups.map(({ count }) => count),
    [2, 1, 1, 1, 1, 2, 1],
  );
  assert.equal(new Set(shelf.groups.map(({ id }) => id)).size, 7);

  made.record(refusal());
  await made.flush();
  assert.equal(shelf.groups.at(-1)?.id, first?.id, 'the same group has the same id in the next write');
});

test('what is recorded is written without being asked for', async () => {
  const shelf = new Shelf();
  const { recorder: made } = recorder(shelf);
  made.record(refusal());
  await eventually('it is written', () => shelf.groups.length === 1);
});

test("a flood is counted, in a bounded number of groups, and one account's flood leaves room for the others", async () => {
  const shelf = new Shelf();
  const { recorder: made } = recorder(shelf);
  for (let index = 0; index < 50_000; index += 1) {
    made.record(refusal({ certificate: certificate(String(index)) }));
  }
  made.record(refusal({ accountId: 'beta' }));
  await made.flush();
  const ofAcme = shelf.groups.filter(({ accountId }) => accountId === 'acme');
  assert.ok(ofAcme.length <= 201, `${ofAcme.length} groups`);
  assert.equal(
    ofAcme.reduce((sum, { count }) => sum + count, 0),
    50_000,
    'not one is missing from the counts',
  );
  assert.equal(shelf.groups.filter(({ accountId }) => accountId === 'beta').length, 1);
});

test('a flood that makes up accounts is bounded, too, and its excess is in the log', async () => {
  const shelf = new Shelf();
  const { recorder: made, log } = recorder(shelf);
  for (let index = 0; index < 50_000; index += 1) made.record(refusal({ accountId: `invented-${index}` }));
  await made.flush();
  assert.ok(shelf.groups.length <= 2_500, `${shelf.groups.length} groups`);
  const [, dropped] = /"dropped":(\d+)/.exec(log()) ?? [];
  assert.equal(Number(dropped) + shelf.groups.length, 50_000);
});

test('while the store hangs, one write is under way and the rest waits in bounded groups', async () => {
  const shelf = new Shelf();
  const { recorder: made } = recorder(shelf);
  const hang = Promise.withResolvers<void>();
  shelf.hold = hang.promise;
  made.record(refusal());
  const first = made.flush();
  for (let index = 0; index < 20_000; index += 1) {
    made.record(refusal({ accountId: `invented-${index % 4_000}` }));
  }
  const second = made.flush();
  const third = made.flush();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(shelf.writes.length, 1);
  shelf.hold = Promise.resolve();
  hang.resolve();
  await Promise.all([first, second, third]);
  assert.equal(shelf.writes.length, 2);
  assert.ok((shelf.writes[1]?.length ?? 0) <= 2_500);
});

test('what is recorded while a write is under way is written after it, without being asked for', async () => {
  const shelf = new Shelf();
  const { recorder: made } = recorder(shelf);
  const hang = Promise.withResolvers<void>();
  shelf.hold = hang.promise;
  made.record(refusal());
  const first = made.flush();
  made.record(refusal({ message: 'meanwhile' }));
  shelf.hold = Promise.resolve();
  hang.resolve();
  await first;
  await eventually('it is written', () => shelf.groups.at(-1)?.message === 'meanwhile');
});

test('a store that fails loses that write, says so, and gets the next one', async () => {
  const shelf = new Shelf();
  const { recorder: made, log } = recorder(shelf);
  const failure = Promise.reject(new Error('the disk is full'));
  failure.catch(() => undefined);
  shelf.hold = failure;
  made.record(refusal());
  await made.flush();
  assert.match(log(), /the disk is full/);
  shelf.hold = Promise.resolve();
  made.record(refusal({ message: 'next' }));
  await made.flush();
  assert.equal(shelf.groups.at(-1)?.message, 'next');
});
