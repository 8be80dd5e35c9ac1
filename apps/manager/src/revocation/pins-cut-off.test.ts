import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AllowedIdentity } from '@sallyport/protocol';
import type { FleetMember } from '../delegates/fleet.ts';
import { cutOffByPins } from './pins-cut-off.ts';

const NOW = Date.UTC(2026, 5, 1);
const FINGERPRINT = 'ab'.repeat(32);

const member = (more: Partial<FleetMember> = {}): FleetMember => ({
  ...{ delegateId: 'd1', name: 'edge', hostName: 'h', connected: true, transport: 'MTLS', lastSeen: NOW },
  mtls: {
    ...{ at: NOW, since: NOW, anchor: 'ca' },
    certificate: {
      ...{ subject: 'CN=edge', issuer: 'CN=CA', serialNumber: '01', fingerprint: FINGERPRINT },
      ...{ notBefore: 0, notAfter: NOW * 2, names: ['edge', 'edge.example.com', 'urn:edge'] },
    },
  },
  ...more,
});
const cut = (pins: readonly AllowedIdentity[], of = member(), before: readonly AllowedIdentity[] = []) =>
  cutOffByPins([of], [], { before, after: pins }).map(({ reason }) => reason);

test('a delegate without a connection to this replica is named by what is known of its certificate', () => {
  for (const pin of [
    { type: 'CERTIFICATE_SHA256', value: FINGERPRINT },
    { type: 'SUBJECT', value: 'cn=edge' },
    { type: 'DNS', value: 'Edge.Example.com' },
    { type: 'URI', value: 'urn:edge' },
  ] as const) {
    assert.deepEqual(cut([pin]), [], pin.type);
  }
  const other = { type: 'DNS', value: 'other' } as const;
  assert.deepEqual(cut([other]), ['IDENTITY_NOT_ALLOWED']);
  assert.deepEqual(cut([]), []);
  assert.deepEqual(cut([other, { type: 'EMAIL', value: 'edge@example.com' }]), [], 'it may have that address');
});

test('who is not on mTLS, or was not admitted before, is not cut off', () => {
  const other = { type: 'DNS', value: 'other' } as const;
  assert.deepEqual(cut([other], member({ connected: false })), []);
  assert.deepEqual(cut([other], member({ transport: 'PLAIN' })), []);
  assert.deepEqual(cut([other], member(), [{ type: 'DNS', value: 'third' }]), []);
});
