import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CaAuthority } from '@sallyport/trust';
import type { FleetMember } from '../delegates/fleet.ts';
import { reportAuthorities } from './authority-report.ts';
import type { AuthorityUse } from './authority-use-store.ts';

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 5, 1);

const ca = (fingerprint256: string, more: Partial<CaAuthority> = {}): CaAuthority => ({
  version: 3,
  subject: `CN=${fingerprint256}`,
  subjectAttributes: [],
  issuer: `CN=${fingerprint256}`,
  issuerAttributes: [],
  serialNumber: '01',
  fingerprint256,
  notBefore: new Date(NOW - 365 * DAY),
  notAfter: new Date(NOW + 365 * DAY),
  isCa: true,
  pathLength: null,
  keyUsage: null,
  purposes: null,
  sans: [],
  hasNameConstraints: false,
  selfSigned: true,
  keyAlgorithm: 'EC P-256',
  signatureAlgorithm: 'ECDSA SHA-256',
  subjectKeyId: null,
  authorityKeyId: null,
  publicKey: fingerprint256,
  unknownCriticalExtensions: [],
  malformed: null,
  pem: '',
  ...more,
});
const member = (name: string, anchor: string, at: number, more: Partial<FleetMember> = {}): FleetMember => ({
  delegateId: `id of ${name}`,
  name,
  hostName: 'host',
  connected: at === NOW,
  transport: 'MTLS',
  lastSeen: at,
  mtls: {
    ...{ at, since: at, anchor },
    certificate: { subject: '', issuer: '', serialNumber: '', fingerprint: '', notBefore: 0, notAfter: 0 },
  },
  ...more,
});

function report(fleet: FleetMember[], uses: AuthorityUse[] = [], authorities = [ca('old'), ca('new')]) {
  const [old] = reportAuthorities({ authorities, fleet, uses, withinDays: 30, now: new Date(NOW) });
  assert.ok(old);
  return old;
}

test('a delegate that is away holds its CA for as long as it is expected back', () => {
  const away = report([member('edge', 'old', NOW - 10 * DAY)]);
  assert.deepEqual([away.safeToRemove, away.neededBy.map(({ name }) => name)], [false, ['edge']]);
  assert.equal(
    away.advice,
    'edge is away, and last came under it: safe to remove from 2026-06-21 on, or once forgotten.',
  );
  const givenUp = report([member('edge', 'old', NOW - 40 * DAY)]);
  assert.deepEqual([givenUp.safeToRemove, givenUp.safeSince], [true, NOW - 10 * DAY]);
  assert.deepEqual(givenUp.usedBy, []);
});

test('a delegate that went plain counts: it needs the CA to come back', () => {
  const plain = member('edge', 'old', NOW - DAY, { transport: 'PLAIN', connected: true });
  const { neededBy, usedBy } = report([plain]);
  assert.deepEqual([neededBy[0]?.connected, usedBy[0]?.connected], [false, false]);
});

test('safe since the last delegate came to another CA', () => {
  const uses = [
    { fingerprint: 'old', name: 'a', lastUsed: NOW - 5 * DAY },
    { fingerprint: 'old', name: 'b', lastUsed: NOW - 3 * DAY },
    { fingerprint: 'new', name: 'b', lastUsed: NOW - 3 * DAY },
  ];
  const { safeSince, advice, usedBy } = report([member('a', 'new', NOW), member('b', 'new', NOW)], uses);
  assert.equal(safeSince, NOW - 3 * DAY);
  assert.equal(advice, 'Safe to remove since 2026-05-29.');
  assert.deepEqual(
    usedBy.map(({ name, connected }) => [name, connected]),
    [
      ['a', false],
      ['b', false],
    ],
  );
});

test('a CA whose renewal with the same key is in the bundle is not needed, one of the same name is', () => {
  const connected = [member('edge', 'old', NOW)];
  const renewed = ca('new', { subject: 'CN=old', publicKey: 'old' });
  assert.equal(report(connected, [], [ca('old'), renewed]).safeToRemove, true);
  for (const other of [
    ca('new', { subject: 'CN=old' }),
    ca('new', { subject: 'CN=old', publicKey: 'old', notAfter: new Date(NOW - DAY) }),
  ]) {
    assert.equal(report(connected, [], [ca('old'), other, ca('third')]).safeToRemove, false);
  }
});

test('of several that use it a few are named', () => {
  const fleet = ['a', 'b', 'c', 'd', 'e'].map((name) => member(name, 'old', NOW));
  assert.match(report(fleet).advice, /^a, b, c and 2 more are connected under it/);
});
