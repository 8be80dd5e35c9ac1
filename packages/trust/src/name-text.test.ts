import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { make } from '../test/certificate-maker.ts';
import { escapeValue } from './distinguished-name.ts';
import { canonicalName, NameTextError } from './name-text.ts';

describe('canonicalName', () => {
  it('is equal for the spellings of one name', () => {
    const name = canonicalName('CN=edge-1, O=Example ORG');
    for (const text of [
      'cn=edge-1,O=Example ORG',
      ' CN = edge-1 ,o=Example ORG ',
      '2.5.4.3=edge-1,2.5.4.10=Example ORG',
    ]) {
      assert.equal(canonicalName(text), name, text);
    }
    assert.equal(canonicalName('CN=a+OU=b'), canonicalName('OU=b + CN=a'));
    assert.equal(canonicalName('CN=\\c3\\a9\\,'), canonicalName('CN=é\\2c'));
    assert.equal(canonicalName('1.2.3=#0C01AB'), canonicalName('1.2.3=#0c01ab'));
    assert.equal(canonicalName(''), '[]');
  });

  it('differs for different names, however alike they look', () => {
    const names = [
      'CN=a,O=b',
      'O=b,CN=a',
      'CN=a+O=b',
      'CN=a\\,O=b',
      'CN=a\\+O=b',
      'CN=A,O=b',
      'CN=a,O=b,O=b',
      'CN=a,O=\\#62',
      'CN=a,O=#62',
      'CN=a',
      'CN=a\\ ',
      'CN=',
      '',
    ];
    assert.equal(new Set(names.map(canonicalName)).size, names.length);
  });

  it('says where a text is no name', () => {
    for (const [text, why] of [
      ['edge-1', /"=" is missing|"edge-1" is not known/],
      ['CN', /"=" is missing at character 3/],
      ['CN=a,', /an attribute such as CN is missing/],
      ['CN=a;O=b', /";" has to be escaped/],
      ['CN="a"', /has to be escaped/],
      ['CN=a\\', /escapes nothing/],
      ['CN=\\zz', /escapes nothing/],
      ['CN=\\ff', /not UTF-8/],
      ['CN=#0', /"#" has to be escaped/],
      ['XX=a', /"XX" is not known/],
      ['/CN=a', /missing/],
    ] as const) {
      assert.throws(
        () => canonicalName(text),
        (error) => error instanceof NameTextError && why.test(error.message),
        text,
      );
    }
  });

  it('reads every name that a certificate is shown with', async () => {
    const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(text, text, (a, b) => {
        const [first, second] = [a, b].map((value) => canonicalName(`CN=${escapeValue(value)}, O=x`));
        assert.equal(first === second, a.toWellFormed() === b.toWellFormed());
        assert.equal(canonicalName(`CN=${escapeValue(a)}+O=${escapeValue(b)}`).includes('"CN","="'), a === '');
      }),
    );
    const { facts } = await make({ subject: { commonName: ' #a, "b"\\+=;<> é ', organization: 'x' } });
    assert.deepEqual(JSON.parse(canonicalName(facts.subject)), [[['CN', '= #a, "b"\\+=;<> é ']], [['O', '=x']]]);
  });
});
