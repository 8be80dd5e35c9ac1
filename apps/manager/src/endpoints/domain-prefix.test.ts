import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SallyportError } from '@sallyport/protocol';
import { fqdnForPrefix } from './domain-prefix.ts';

test('a prefix becomes one label in front of the agent domain, in lower case', () => {
  for (const [prefix, fqdn] of [
    ['acme', 'acme.agent.example.test'],
    ['ACME-2', 'acme-2.agent.example.test'],
    ['7', '7.agent.example.test'],
    ['x'.repeat(63), `${'x'.repeat(63)}.agent.example.test`],
  ] as const) {
    assert.equal(fqdnForPrefix(prefix, 'agent.example.test'), fqdn);
  }
});

test('what is no label of its own is refused, and the message shows it', () => {
  const invalid = (prefix: string) =>
    `Provided domain prefix '${prefix}' is invalid (full fqdn: '${prefix}.agent.ut.example.test').`;
  const none = 'No domain prefix was provided for the agent mTLS endpoint.';
  const cases: [string | null | undefined, string][] = [
    [undefined, none],
    [null, none],
    ['  ', none],
    ['a.b', "Provided domain prefix 'a.b' has more than one level."],
    ['acme.', "Provided domain prefix 'acme.' has more than one level."],
    ...[
      'someInvalid%Character',
      '-a',
      'a-',
      'a_b',
      'a b',
      ' a',
      'a\n',
      '*',
      '\u00e4',
      '\u212a',
      'a/b',
      'a:1',
      'a@b',
      'xn--e1a',
      'ab--c',
      'a\0',
    ].map((prefix): [string, string] => [prefix, invalid(prefix)]),
    ['x'.repeat(64), invalid('x'.repeat(64))],
    ['www', "Provided domain prefix 'www' is reserved: it names the service itself."],
    ['Admin', "Provided domain prefix 'Admin' is reserved: it looks like the operator."],
    ['wpad', "Provided domain prefix 'wpad' is reserved: resolvers and proxies look for it."],
  ];
  for (const [prefix, message] of cases) {
    assert.throws(
      () => fqdnForPrefix(prefix, 'agent.ut.example.test'),
      (error) => error instanceof SallyportError && error.code === 'INVALID_REQUEST' && error.message === message,
      String(prefix),
    );
  }
  assert.equal(
    fqdnForPrefix('constructor', 'a.test'),
    'constructor.a.test',
    'no name of a JavaScript object is special',
  );
});

test('an absurdly long prefix is not repeated whole', () => {
  assert.throws(
    () => fqdnForPrefix('x'.repeat(100_000), 'a.test'),
    (error) => error instanceof SallyportError && error.message.length < 400,
  );
});
