import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PresentedCertificate, Refusal } from '@sallyport/protocol';
import type { FleetMember } from '../delegates/fleet.ts';
import { judgeReadiness } from './readiness.ts';

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 5, 1);
const URL = 'https://acme.agent.example.test';

const certificate = (fingerprint: string, more: Partial<PresentedCertificate> = {}): PresentedCertificate => ({
  subject: 'CN=edge',
  issuer: 'CN=CA',
  serialNumber: '01',
  fingerprint,
  notBefore: NOW - 90 * DAY,
  notAfter: NOW + 90 * DAY,
  ...more,
});
const member = (more: Partial<FleetMember> = {}): FleetMember => ({
  delegateId: 'd1',
  name: 'edge',
  hostName: 'h1',
  connected: true,
  transport: 'PLAIN',
  lastSeen: more.connected === false ? NOW - DAY : NOW,
  mtls: null,
  ...more,
});
const mtls = (at: number, more: Partial<PresentedCertificate> = {}) => ({
  at,
  since: at,
  certificate: certificate('f1', more),
  anchor: 'ca1',
});
const refusal = (fingerprint: string, lastSeen: number, names: string[] = []): Refusal => ({
  reason: 'UNKNOWN_ISSUER',
  message: 'not issued by a CA of the bundle',
  remedy: 'Use a certificate of the uploaded CA.',
  firstSeen: lastSeen,
  lastSeen,
  count: 1,
  serverName: null,
  remoteAddress: '192.0.2.1',
  certificate: certificate(fingerprint, { names }),
});

function judge(fleet: FleetMember[], refusals: Refusal[] = [], names: [string, number][] = []) {
  const namesOnMtls = new Map(names);
  return judgeReadiness({ url: URL, mode: 'LOOSE', fleet, namesOnMtls, refusals, notSeenForDays: 7, now: NOW });
}

/** State, whether it blocks, and what to do, of the only delegate. */
function only(of: FleetMember, refusals: Refusal[] = [], names: [string, number][] = []) {
  const { delegates, ready } = judge([of], refusals, names);
  const [row] = delegates;
  assert.ok(row);
  assert.equal(ready, !row.blocksStrict);
  return [row.state, row.blocksStrict, row.remedy];
}

test('a delegate whose own certificate has expired is not on mTLS any more, however it is still counted', () => {
  const expired = (ago: number) => ({ transport: 'MTLS' as const, mtls: mtls(NOW, { notAfter: NOW - ago }) });
  const row = ['INVALID_CERTIFICATE', true, 'Its certificate expired on 2026-05-30 (2 days ago): renew it.'];
  assert.deepEqual(only(member(expired(2 * DAY))), row);
  assert.match(String(only(member(expired(DAY)))[2]), /expired on 2026-05-31 \(1 day ago\)/);
  assert.match(String(only(member(expired(0)))[2]), /expired on 2026-06-01 \(less than a day ago\)/);
  const [state, blocks, remedy] = only(member({ ...expired(2 * DAY), connected: false }));
  assert.deepEqual([state, blocks], ['INVALID_CERTIFICATE', true]);
  assert.match(String(remedy), /renew it\. If it does not come back, forget it/);
  const [longGone] = only(member({ ...expired(20 * DAY), connected: false, lastSeen: NOW - 19 * DAY }));
  assert.equal(longGone, 'NOT_SEEN');
});

test('a refused token says nothing about the certificate that came with it', () => {
  const token = { ...refusal('f1', NOW), reason: 'EXPIRED_TOKEN' };
  assert.deepEqual(only(member({ transport: 'MTLS', mtls: mtls(NOW - DAY) }), [token]), [
    'ON_MTLS',
    false,
    'Nothing to do.',
  ]);
  assert.deepEqual(judge([], [token]).refusedClients, []);
});

test('a fleet without delegates is ready', () => {
  assert.equal(judge([]).ready, true);
});

test('each state has its verdict and one line that says what to do', () => {
  const give = `Give it a client certificate and set MANAGER_HOST_AND_PORT=${URL}.`;
  const back = `Set MANAGER_HOST_AND_PORT back to ${URL} and check its client certificate settings.`;
  const until = ' It was on mTLS until 2026-05-30.';
  const forget = ' If it does not come back, forget it (sallyport delegate delete d1).';
  const gone = { connected: false } as const;
  const lost = { notAfter: NOW - DAY };
  const twoDaysAgo = NOW - 2 * DAY;
  assert.deepEqual(only(member()), ['PLAIN', true, give]);
  assert.deepEqual(only(member(gone)), ['PLAIN', true, give + forget]);
  assert.deepEqual(only(member({ transport: 'MTLS', mtls: mtls(NOW) })), ['ON_MTLS', false, 'Nothing to do.']);
  assert.deepEqual(only(member({ ...gone, transport: 'MTLS', mtls: mtls(NOW - DAY) })), [
    'ON_MTLS',
    false,
    'Nothing to do.',
  ]);
  assert.deepEqual(only(member({ transport: 'MTLS', mtls: mtls(NOW, { notAfter: NOW + 5 * DAY }) })), [
    'ON_MTLS',
    false,
    'Renew its certificate: it expires in 5 days.',
  ]);
  assert.deepEqual(only(member({ mtls: mtls(twoDaysAgo) })), ['PLAIN_AFTER_MTLS', true, back + until]);
  assert.deepEqual(only(member({ mtls: mtls(twoDaysAgo, lost) })), [
    'PLAIN_AFTER_MTLS',
    true,
    `Its certificate expired on 2026-05-31: renew it and set MANAGER_HOST_AND_PORT=${URL}.${until}`,
  ]);
  assert.deepEqual(only(member({ ...gone, lastSeen: NOW - 8 * DAY })), [
    'NOT_SEEN',
    false,
    'Not seen since 2026-05-24: start it, or forget it (sallyport delegate delete d1).',
  ]);
});

test('a refused certificate is the delegate’s by its fingerprint, or by a name of any spelling', () => {
  const remedy = 'Use a certificate of the uploaded CA.';
  const ifOwn = `If the refused certificate is its own: ${remedy}`;
  const plainBefore = member({ mtls: mtls(NOW - 2 * DAY) });
  assert.deepEqual(only(plainBefore, [refusal('f1', NOW - DAY)]), ['INVALID_CERTIFICATE', true, remedy]);
  for (const name of ['edge', 'EDGE', 'urn:sallyport:delegate:edge']) {
    assert.deepEqual(only(member(), [refusal('other', NOW, [name])]), ['INVALID_CERTIFICATE', true, ifOwn], name);
  }
  assert.equal(only(member(), [refusal('other', NOW, ['edge-2', 'my edge'])])[0], 'PLAIN', 'never by a part of a name');
});

test('a refusal from before its certificate was accepted, or from too long ago, says nothing of today', () => {
  const onMtls = member({ transport: 'MTLS', mtls: mtls(NOW - DAY) });
  assert.deepEqual(only(onMtls, [refusal('f1', NOW - 2 * DAY)]), ['ON_MTLS', false, 'Nothing to do.']);
  assert.equal(only(member(), [refusal('other', NOW - 8 * DAY, ['edge'])])[0], 'PLAIN');
});

test('a stranger with a delegate’s name in a certificate keeps nobody from going STRICT', () => {
  const faked = refusal('fake', NOW, ['edge']);
  const live = member({ transport: 'MTLS', mtls: mtls(NOW - DAY) });
  const [state, blocks, remedy] = only(live, [faked]);
  assert.deepEqual([state, blocks], ['ON_MTLS', false]);
  assert.match(String(remedy), /^Its connection holds, but another certificate of its name was refused/);
  const away = member({ connected: false, transport: 'MTLS', mtls: mtls(NOW - DAY) });
  assert.deepEqual(only(away, [faked]).slice(0, 2), ['INVALID_CERTIFICATE', false]);
  assert.deepEqual(
    only(away, [refusal('f1', NOW)]).slice(0, 2),
    ['INVALID_CERTIFICATE', true],
    'its own key proved it',
  );

  const strangers = judge([live], [refusal('s1', NOW, ['somebody']), refusal('s2', NOW)]);
  assert.equal(strangers.ready, true);
  assert.equal(strangers.totals.refusedClients, 2);
  assert.deepEqual(
    strangers.refusedClients.map((client) => client.certificate?.fingerprint),
    ['s1', 's2'],
  );
});

test('a new instance of a delegate that was on mTLS is a downgrade, unless another one of the name still is', () => {
  const names: [string, number][] = [['edge', NOW - DAY]];
  assert.equal(only(member(), [], names)[0], 'PLAIN_AFTER_MTLS');
  const sibling = member({ delegateId: 'd2', transport: 'MTLS', mtls: mtls(NOW) });
  const { delegates } = judge([member(), sibling], [], names);
  assert.deepEqual(
    delegates.map(({ delegateId, state }) => [delegateId, state]),
    [
      ['d1', 'PLAIN'],
      ['d2', 'ON_MTLS'],
    ],
  );
});

test('who blocks comes first', () => {
  const fleet = [
    member({ delegateId: 'a', transport: 'MTLS', mtls: mtls(NOW) }),
    member({ delegateId: 'b' }),
    member({ delegateId: 'c', transport: 'MTLS', mtls: mtls(NOW) }),
  ];
  const { delegates, totals, ready } = judge(fleet);
  assert.deepEqual(
    delegates.map(({ delegateId }) => delegateId),
    ['b', 'a', 'c'],
  );
  assert.deepEqual(totals, {
    onMtls: 2,
    plain: 1,
    plainAfterMtls: 0,
    invalidCertificate: 0,
    notSeen: 0,
    refusedClients: 0,
  });
  assert.equal(ready, false);
});

test('a large fleet with many refusals is judged without holding up the event loop', () => {
  const fleet = Array.from({ length: 5_000 }, (_, n) =>
    member({
      delegateId: `d${n}`,
      name: `edge-${n}`,
      mtls: { ...mtls(NOW - 2 * DAY), certificate: certificate(`f${n}`) },
    }),
  );
  const refusals = Array.from({ length: 500 }, (_, n) =>
    refusal(
      `f${n}`,
      NOW,
      Array.from({ length: 8 }, (_, m) => `edge-${n + m}`),
    ),
  );
  judge(fleet, refusals);
  const started = performance.now();
  const { totals } = judge(fleet, refusals);
  const took = performance.now() - started;
  assert.equal(totals.invalidCertificate, 507);
  assert.ok(took < 500, `took ${took} ms`);
});
