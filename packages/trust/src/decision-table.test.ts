import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { judgeTransport, type TransportInput } from './decision-table.ts';

const own = 'blue.agent.example.test';
const other = 'red.agent.example.test';
const none = null;
const loose = { fqdn: own, mode: 'LOOSE' } as const;
const strict = { fqdn: own, mode: 'STRICT' } as const;

const cells: readonly [string, TransportInput['endpoint'], string | null, 'ADMIT' | string][] = [
  ['no endpoint, no authority', none, null, 'ADMIT'],
  ['no endpoint, the authority of somebody', none, own, 'AUTHORITY_MISMATCH'],
  ['no endpoint, another authority', none, other, 'AUTHORITY_MISMATCH'],
  ['LOOSE, no authority', loose, null, 'ADMIT'],
  ['LOOSE, its own authority', loose, own, 'ADMIT'],
  ['LOOSE, another authority', loose, other, 'AUTHORITY_MISMATCH'],
  ['STRICT, no authority', strict, null, 'MTLS_REQUIRED'],
  ['STRICT, its own authority', strict, own, 'ADMIT'],
  ['STRICT, another authority', strict, other, 'AUTHORITY_MISMATCH'],
];

describe('judgeTransport', () => {
  for (const [cell, endpoint, authority, expected] of cells) {
    it(`${expected === 'ADMIT' ? 'admits' : `refuses with ${expected}`}: ${cell}`, () => {
      const verdict = judgeTransport({ endpoint, authority });
      if (verdict.admitted) {
        assert.equal(expected, 'ADMIT');
        assert.equal(verdict.authority, authority);
        return;
      }
      assert.equal(verdict.reason, expected);
      assert.deepEqual(verdict.evidence, {
        endpoint: endpoint?.fqdn ?? null,
        mode: endpoint?.mode ?? null,
        authority,
      });
      if (authority !== null) assert.ok(verdict.message.includes(authority), verdict.message);
    });
  }

  it('compares names exactly: case and a trailing dot make another authority', () => {
    for (const authority of [own.toUpperCase(), `${own}.`, ` ${own}`]) {
      assert.equal(judgeTransport({ endpoint: loose, authority }).admitted, false);
    }
  });

  it('takes an empty authority for none', () => {
    assert.deepEqual(judgeTransport({ endpoint: loose, authority: '' }), { admitted: true, authority: null });
    assert.equal(judgeTransport({ endpoint: strict, authority: '' }).admitted, false);
  });

  it('names the host to use when STRICT refuses a plain delegate', () => {
    const verdict = judgeTransport({ endpoint: strict, authority: null });
    assert.ok(!verdict.admitted && verdict.remedy.includes(own));
  });
});
