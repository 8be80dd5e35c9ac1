import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { secrets } from './secrets.ts';

const found = (text: string) => [...secrets([{ path: 'packages/a/src/a.test.ts', text }])];

// Put together here, so that the rule does not find this file.
const label = '-----BEGIN PRIVATE ' + 'KEY-----';
const uuid = '0f8fad5b-d9cb-469f-a165-70867728950e';
const secret = 'q'.repeat(43);

describe('a secret in a file', () => {
  for (const [name, text] of [
    ['a private key', `${label}\n${'A'.repeat(64)}\n`],
    ['a private key in a string', `'${label}\\n${'A'.repeat(64)}\\n'`],
    ['an operator key', `sat.${uuid}.${secret}`],
    ["an account's key", `pat.acme.${uuid}.${secret}`],
    ['a master key', `SALLYPORT_MASTER_KEY=${'0f'.repeat(32)}`],
    ['a delegate token in a manifest', `DELEGATE_TOKEN: "${'0f'.repeat(16)}"`],
    ['a signed token', `eyJ${'h'.repeat(20)}.eyJ${'x'.repeat(20)}.${'s'.repeat(20)}`],
    ['an encrypted token', `eyJ${'h'.repeat(20)}..${'i'.repeat(16)}.${'c'.repeat(20)}.${'t'.repeat(22)}`],
    ['a key of AWS', `AKIA${'A1'.repeat(8)}`],
    ['a token of GitHub', `ghp_${'a1'.repeat(18)}`],
    ['a token of npm', `npm_${'a1'.repeat(18)}`],
  ] as const) {
    it(`is found: ${name}`, () => {
      const [violation] = found(`first line\n${text}\n`);
      assert.equal(violation?.line, 2);
      assert.ok(!violation.found.includes(text.slice(-9)), 'and is not repeated in the message');
    });
  }

  for (const text of [
    label,
    'sat.<uuid>.<secret>',
    'process.env.DELEGATE_TOKEN',
    'DELEGATE_TOKEN=<token>',
    'eyJhbGciOiJkaXIifQ',
    'a.pat.b.c',
  ]) {
    it(`is not seen in: ${text.slice(0, 30)}`, () => assert.deepEqual(found(text), []));
  }

  it('is not seen in published examples', () => {
    assert.deepEqual(found('DELEGATE_TOKEN: "00112233445566778899aabbccddeeff"'), []);
    assert.deepEqual(found(`eyJ${'h'.repeat(20)}..AAECAwQFBgcICQoL.${'c'.repeat(20)}.tag`), []);
    assert.equal(found(`eyJ${'h'.repeat(20)}..AAECAwQFBgcICQoM.${'c'.repeat(20)}.tag`).length, 1);
  });
});
