import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { SallyportError } from '@sallyport/protocol';
import { CompactEncrypt, EncryptJWT, type JWTPayload, SignJWT } from 'jose';
import { pino } from 'pino';
import { LocalBus } from '../bus/local-bus.ts';
import { openDatabase } from '../database/open-database.ts';
import { AgentTokens, type TokenKey } from './agent-tokens.ts';

const key = (hex: string): Uint8Array => Buffer.from(hex, 'hex');
const KEY = key('00112233445566778899aabbccddeeff');
const OTHER = key('ffeeddccbbaa99887766554433221100');
const START = 1_900_000_000_000;

/** Made outside of this project, with the key above, for account acc-1, issued at START, for twenty minutes. */
const PUBLISHED =
  'eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIiwidHlwIjoiSldUIn0..AAECAwQFBgcICQoL.' +
  'UPdEscy1tUL-W0qyIa9tz2Rs_mhOk4f-_Cu_PMMnpElD7fBuSioohRbE7puxdPe90xLhwdnut4PJKBfaC8p6LOLb7rBlV0H38VWbV2sVbZtHo13R' +
  'VgnzADtxVN6Ky16HnTX_DoXYhmOwDDTJA5f4LP8kPU9p306LSJEiigbXVFo.Rd1fRdsQqVzZyqLVPARmLQ';

class SwitchableBus extends LocalBus {
  hears = true;
  override get inStep(): boolean {
    return this.hears;
  }
}

interface Rig {
  readonly tokens: AgentTokens;
  readonly bus: SwitchableBus;
  readonly clock: { at: number; now(): Date };
  readonly stored: Map<string, TokenKey[]>;
  readonly reads: () => number;
  /** Awaited by each read, which has its answer by then. */
  hold: Promise<void>;
}

async function rig(t: TestContext): Promise<Rig> {
  const opened = await openDatabase({ file: ':memory:' });
  t.after(() => opened.close());
  const bus = new SwitchableBus(opened.database, pino({ level: 'silent' }));
  const clock = { at: START, now: () => new Date(clock.at) };
  const stored = new Map<string, TokenKey[]>([['acc-1', [token('one', KEY)]]]);
  let reads = 0;
  const source = {
    findForAuthentication: async (accountId: string) => {
      reads += 1;
      const found = [...(stored.get(accountId) ?? [])];
      await made.hold;
      return found;
    },
  };
  const tokens = new AgentTokens(source, bus, clock);
  const made: Rig = { tokens, bus, clock, stored, reads: () => reads, hold: Promise.resolve() };
  return made;
}

function token(id: string, secret: Uint8Array, change: Partial<TokenKey> = {}): TokenKey {
  return { id, key: secret, status: 'ACTIVE', revokeAfter: null, ...change };
}

function jwe(claims: Record<string, unknown>, secret = KEY): Promise<string> {
  const whole = { sub: 'acc-1', exp: START / 1000 + 1_200, ...claims };
  return new EncryptJWT(whole).setProtectedHeader({ alg: 'dir', enc: 'A128GCM' }).encrypt(secret);
}

async function refused(promise: Promise<string>, code: string, message?: RegExp): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof SallyportError);
    assert.equal(error.code, code, error.message);
    assert.equal(error.status, 401);
    if (message !== undefined) assert.match(error.message, message);
    return true;
  });
}

test('the published example of a token is accepted until its last second, and not after', async (t) => {
  const { tokens, clock } = await rig(t);
  const authorization = `Delegate ${PUBLISHED}`;
  assert.equal(await tokens.verify('acc-1', authorization), 'one');
  clock.at = START + 1_200_000 - 1;
  assert.equal(await tokens.verify('acc-1', authorization), 'one');
  clock.at = START + 1_200_000;
  await refused(tokens.verify('acc-1', authorization), 'EXPIRED_TOKEN', /expired 0 s ago/);
  clock.at = START + 1_247_000;
  await refused(tokens.verify('acc-1', authorization), 'EXPIRED_TOKEN', /expired 47 s ago/);
});

test('an expired token says by its own iat how far the clock of the delegate is off', async (t) => {
  const { tokens, clock } = await rig(t);
  const remedyAt = async (seconds: number, authorization: string) => {
    clock.at = START + seconds * 1000;
    return tokens.verify('acc-1', authorization).then(
      () => 'accepted',
      (error: SallyportError) => error.remedy,
    );
  };
  const said = await remedyAt(1_247, `Delegate ${PUBLISHED}`);
  assert.match(said, /^The clock of the delegate's machine is 20 min 47 s behind, or the JWE was made that long ago/);
  assert.match(await remedyAt(3 * 86_400 + 3_605, `Delegate ${PUBLISHED}`), / is 3 d 1 h behind/);
  for (const iat of [undefined, 'yesterday', null, 2_000_000_000]) {
    const jwe = await new EncryptJWT({
      sub: 'acc-1',
      exp: 1_900_000_000,
      ...(iat !== undefined && { iat }),
    } as JWTPayload)
      .setProtectedHeader({ alg: 'dir', enc: 'A128GCM' })
      .encrypt(KEY);
    assert.match(await remedyAt(60, `Delegate ${jwe}`), /^Check the clock of the delegate's machine/);
  }
});

test('a header without the scheme, or that is no JWE of the agreed kind, is no token', async (t) => {
  const { tokens } = await rig(t);
  const signed = await new SignJWT({ sub: 'acc-1', exp: 2_000_000_000 })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(Buffer.alloc(32));
  const plaintext = new TextEncoder().encode(JSON.stringify({ sub: 'acc-1', exp: 2_000_000_000 }));
  const wrapped = await new CompactEncrypt(plaintext)
    .setProtectedHeader({ alg: 'A128KW', enc: 'A128GCM' })
    .encrypt(KEY);
  const otherEncryption = await new CompactEncrypt(plaintext)
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
    .encrypt(Buffer.alloc(32, 1));
  const parts = PUBLISHED.split('.');
  const none = Buffer.from('{"alg":"none"}').toString('base64url');
  for (const authorization of [
    undefined,
    '',
    'Delegate',
    'Delegate ',
    PUBLISHED,
    `Bearer ${PUBLISHED}`,
    `delegate ${PUBLISHED}`,
    `Delegate ${PUBLISHED} ${PUBLISHED}`,
    `Delegate ${'A'.repeat(5_000)}`,
    'Delegate not-a-token',
    `Delegate ${signed}`,
    `Delegate ${wrapped}`,
    `Delegate ${otherEncryption}`,
    `Delegate ${parts.slice(0, 4).join('.')}`,
    `Delegate ${none}.${parts.slice(1).join('.')}`,
    `Delegate ${parts.with(4, '').join('.')}`,
    `Delegate ${parts.with(4, (parts[4] ?? '').slice(0, 6)).join('.')}`,
  ]) {
    await refused(tokens.verify('acc-1', authorization), 'INVALID_TOKEN');
  }
});

test("a single changed character makes it nobody's", async (t) => {
  const { tokens } = await rig(t);
  for (let at = 0; at < PUBLISHED.length; at += 7) {
    const changed = PUBLISHED.slice(0, at) + (PUBLISHED[at] === 'B' ? 'Z' : 'B') + PUBLISHED.slice(at + 1);
    await refused(tokens.verify('acc-1', `Delegate ${changed}`), 'INVALID_TOKEN');
  }
});

test('the claims have to be there: a subject that is the account, and an end', async (t) => {
  const { tokens, stored } = await rig(t);
  stored.set('acc-2', [token('two', KEY)]);
  const cases: [Record<string, unknown>, RegExp][] = [
    [{ sub: 'acc-2' }, /is for account 'acc-2', not 'acc-1'/],
    [{ sub: undefined }, /is for account ''/],
    [{ sub: 'ACC-1' }, /not 'acc-1'/],
    [{ exp: undefined }, /Invalid delegate token format/],
  ];
  for (const [claims, message] of cases) {
    await refused(tokens.verify('acc-1', `Delegate ${await jwe(claims)}`), 'INVALID_TOKEN', message);
  }
  const text = new TextEncoder().encode('not json');
  const opaque = await new CompactEncrypt(text).setProtectedHeader({ alg: 'dir', enc: 'A128GCM' }).encrypt(KEY);
  await refused(tokens.verify('acc-1', `Delegate ${opaque}`), 'INVALID_TOKEN', /format/);
  const mine = `Delegate ${await jwe({})}`;
  assert.equal(await tokens.verify('acc-1', mine), 'one');
  await refused(tokens.verify('acc-2', mine), 'INVALID_TOKEN', /is for account 'acc-1'/);
  await refused(tokens.verify('acc-3', mine), 'INVALID_TOKEN', /No delegate token of account 'acc-3'/);
});

test('any active token of the account serves; a revoked one is named as such, before its end is looked at', async (t) => {
  const { tokens, stored, clock } = await rig(t);
  stored.set('acc-1', [token('gone', OTHER, { status: 'REVOKED' }), token('one', KEY)]);
  assert.equal(await tokens.verify('acc-1', `Delegate ${await jwe({})}`), 'one');
  const revoked = `Delegate ${await jwe({}, OTHER)}`;
  await refused(tokens.verify('acc-1', revoked), 'REVOKED_TOKEN');
  clock.at += 10_000_000;
  await refused(tokens.verify('acc-1', revoked), 'REVOKED_TOKEN');
  await refused(tokens.verify('acc-1', `Delegate ${await jwe({}, key('0'.repeat(32)))}`), 'INVALID_TOKEN');
});

test('a token counts as revoked from the moment that was set for it', async (t) => {
  const { tokens, stored, clock } = await rig(t);
  stored.set('acc-1', [token('one', KEY, { revokeAfter: START + 60_000 })]);
  const authorization = `Delegate ${await jwe({})}`;
  assert.equal(await tokens.verify('acc-1', authorization), 'one');
  assert.deepEqual([...(await tokens.activeIds('acc-1'))], ['one']);
  clock.at = START + 60_000;
  await refused(tokens.verify('acc-1', authorization), 'REVOKED_TOKEN');
  assert.deepEqual([...(await tokens.activeIds('acc-1'))], []);
});

test("a JWE is decrypted once, and again after any change of the account's tokens, only of that account", async (t) => {
  const { tokens, bus, stored, reads } = await rig(t);
  stored.set('acc-2', [token('two', OTHER)]);
  const mine = `Delegate ${await jwe({})}`;
  const theirs = `Delegate ${await jwe({ sub: 'acc-2' }, OTHER)}`;
  for (let time = 0; time < 3; time += 1) {
    await tokens.verify('acc-1', mine);
    await tokens.verify('acc-2', theirs);
  }
  assert.equal(reads(), 2);
  stored.set('acc-1', [token('one', KEY, { status: 'REVOKED' })]);
  assert.equal(await tokens.verify('acc-1', mine), 'one', 'as long as nobody says so');
  for (const type of ['tokens-changed', 'trust-changed'] as const) {
    stored.set('acc-1', [token('one', KEY)]);
    await bus.deliver({ type, accountId: 'acc-1' });
    assert.equal(await tokens.verify('acc-1', mine), 'one');
    stored.set('acc-1', [token('one', KEY, { status: 'REVOKED' })]);
    await bus.deliver({ type, accountId: 'acc-1' });
    await refused(tokens.verify('acc-1', mine), 'REVOKED_TOKEN');
  }
  const before = reads();
  await tokens.verify('acc-2', theirs);
  assert.equal(reads(), before);
});

test("the account's tokens are read once for all of its JWEs, and again after a change of them", async (t) => {
  const { tokens, bus, stored, reads } = await rig(t);
  const another = async () => `Delegate ${await jwe({})}`;
  for (let time = 0; time < 3; time += 1) assert.equal(await tokens.verify('acc-1', await another()), 'one');
  assert.equal(reads(), 1);
  stored.set('acc-1', [token('one', KEY, { status: 'REVOKED' })]);
  await bus.deliver({ type: 'tokens-changed', accountId: 'acc-1' });
  await refused(tokens.verify('acc-1', await another()), 'REVOKED_TOKEN');
  stored.set('acc-1', [token('one', KEY)]);
  bus.hears = false;
  assert.equal(await tokens.verify('acc-1', await another()), 'one');
  stored.set('acc-1', []);
  await refused(tokens.verify('acc-1', await another()), 'INVALID_TOKEN');
});

test('while announcements may be missed nothing is kept and nothing kept is used', async (t) => {
  const { tokens, bus, stored } = await rig(t);
  const mine = `Delegate ${await jwe({})}`;
  assert.equal(await tokens.verify('acc-1', mine), 'one');
  bus.hears = false;
  stored.set('acc-1', []);
  await refused(tokens.verify('acc-1', mine), 'INVALID_TOKEN');
  stored.set('acc-1', [token('one', KEY)]);
  assert.equal(await tokens.verify('acc-1', mine), 'one');
  stored.set('acc-1', []);
  await refused(tokens.verify('acc-1', mine), 'INVALID_TOKEN');
  await bus.deliver({ type: 'resync' });
  bus.hears = true;
  await refused(tokens.verify('acc-1', mine), 'INVALID_TOKEN');
});

test('what was read before a revocation is not kept for after it', async (t) => {
  for (const announcement of [{ type: 'tokens-changed', accountId: 'acc-1' }, { type: 'resync' }] as const) {
    const made = await rig(t);
    const mine = `Delegate ${await jwe({})}`;
    const held = Promise.withResolvers<void>();
    made.hold = held.promise;
    const early = made.tokens.verify('acc-1', mine);
    made.stored.set('acc-1', [token('one', KEY, { status: 'REVOKED' })]);
    await made.bus.deliver(announcement);
    held.resolve();
    assert.equal(await early, 'one', 'it began before');
    await refused(made.tokens.verify('acc-1', mine), 'REVOKED_TOKEN');
  }
});
