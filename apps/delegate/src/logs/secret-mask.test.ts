import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { SecretMask } from './secret-mask.ts';

const SECRET = 'hunter2-%&+/="é';

/** What comes out when the text arrives in pieces of so many bytes. */
function inPieces(mask: SecretMask, text: string | Buffer, size: number): string {
  const bytes = Buffer.from(text);
  const masking = mask.masking();
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) parts.push(masking.write(bytes.subarray(at, at + size)));
  return Buffer.concat([...parts, masking.end()]).toString();
}

test('a secret is masked wherever the chunks are cut, byte by byte too, and the text around it stays', () => {
  const mask = new SecretMask([SECRET]);
  const text = `before ${SECRET} between ${SECRET}${SECRET} after é\n`;
  for (const size of [1, 2, 3, 7, 16, 1000]) {
    assert.equal(inPieces(mask, text, size), 'before *** between *** after é\n', `pieces of ${size}`);
  }
});

test('what only begins like a secret is held back until it is known, and then given out unchanged', () => {
  const masking = new SecretMask(['abcdef']).masking();
  assert.equal(masking.write(Buffer.from('xabcd')).toString(), 'x');
  assert.equal(masking.write(Buffer.from('eX')).toString(), 'abcdeX');
  assert.equal(masking.write(Buffer.from('abcde')).toString(), '');
  assert.equal(masking.end().toString(), 'abcde');
});

test('the longer of two secrets is masked as a whole, and overlapping ones are', () => {
  const mask = new SecretMask(['token', 'token-and-more', 'more-than-that']);
  for (const size of [1, 4, 100]) {
    assert.equal(inPieces(mask, 'token-and-more.', size), '***.');
    assert.equal(inPieces(mask, 'token-and-more-than-that.', size), '***.');
    assert.equal(inPieces(mask, 'token-and-mor.', size), '***-and-mor.');
  }
});

test('a secret that repeats itself is masked to its last byte and does not hold the output back for ever', () => {
  const mask = new SecretMask(['aaaa']);
  assert.equal(inPieces(mask, `${'a'.repeat(1001)}b`, 10), '***b');
  const masking = mask.masking();
  let shown = '';
  for (let n = 0; n < 100; n += 1) shown += masking.write(Buffer.from('a'.repeat(100))).toString();
  assert.equal(shown, '***');
});

test('a secret of several lines is masked across them, line by line, and with other line ends', () => {
  const key = ['-----BEGIN KEY-----', randomBytes(48).toString('base64'), 'c2hvcnQgb25l', '-----END KEY-----'].join(
    '\n',
  );
  const mask = new SecretMask([`${key}\n`]);
  assert.equal(inPieces(mask, `key:\n${key}\n`, 9), 'key:\n***\n');
  assert.equal(inPieces(mask, key.replaceAll('\n', '\r\n'), 9), '***');
  const indented = inPieces(mask, key.replaceAll(/^/gm, '  '), 9);
  assert.equal(indented, '  -----BEGIN KEY-----\n  ***\n  ***\n  -----END KEY-----');
});

test('the forms in which programs write a secret are masked', () => {
  const mask = new SecretMask([SECRET, "it's-quoted"]);
  const forms: Record<string, string> = {
    json: JSON.stringify(SECRET),
    url: `?p=${encodeURIComponent(SECRET)}&x=1`,
    shell: `+ login 'it'\\''s-quoted'`,
    hex: Buffer.from(SECRET).toString('hex'),
    HEX: Buffer.from(SECRET).toString('hex').toUpperCase(),
    base64: Buffer.from(SECRET).toString('base64'),
    base64url: Buffer.from(SECRET).toString('base64url'),
    'base64 with a line feed': Buffer.from(`${SECRET}\n`).toString('base64'),
    'Basic, one before': Buffer.from(`u${SECRET}!`).toString('base64'),
    'Basic, two before': Buffer.from(`u:${SECRET}`).toString('base64'),
    'Basic, user': Buffer.from(`user:${SECRET}`).toString('base64'),
  };
  for (const [name, text] of Object.entries(forms)) assert.match(mask.text(text), /\*\*\*/, `${name}: ${text}`);
});

test('a long secret in base64 is masked in the lines that base64 and openssl write', () => {
  const secret = randomBytes(300).toString('latin1').replaceAll(/\s/g, 'x');
  const mask = new SecretMask([secret]);
  for (const columns of [64, 76]) {
    const encoded = Buffer.from(secret)
      .toString('base64')
      .replaceAll(new RegExp(`.{${columns}}`, 'g'), '$&\n');
    const shown = mask.text(encoded).replaceAll('***', '').replaceAll(/[\n=]/g, '');
    assert.ok(shown.length < 8, shown);
  }
});

test('values too short to be masked leave the output alone, and spaces around a value do not protect it', () => {
  assert.equal(new SecretMask(['1', 'abc', '', '  x ']).text('1 abc x'), '1 abc x');
  assert.equal(new SecretMask(['  hunter2\n']).text('hunter2'), '***');
});

test('bytes that are not UTF-8 pass unchanged', () => {
  const bytes = Buffer.from([0xff, 0x00, 0xc3, 0x28, 0xe2]);
  const masking = new SecretMask([SECRET]).masking();
  assert.deepEqual(Buffer.concat([masking.write(bytes), masking.end()]), bytes);
});

test('for any secrets, text and cuts, no secret is in what comes out, and nothing else is lost', () => {
  const small = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 4, maxLength: 9 });
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '-', '\n'), maxLength: 120 });
  fc.assert(
    fc.property(
      fc.array(small, { minLength: 1, maxLength: 4 }),
      text,
      fc.integer({ min: 1, max: 20 }),
      (secrets, input, size) => {
        const output = inPieces(new SecretMask(secrets), input, size);
        // Byte by byte, without cleverness: every byte that belongs to some occurrence is hidden.
        const hidden = Array.from(input, () => false);
        for (const secret of secrets)
          for (let at = input.indexOf(secret); at >= 0; at = input.indexOf(secret, at + 1))
            hidden.fill(true, at, at + secret.length);
        const expected = Array.from(input, (character, at) => (hidden[at] === true ? '\0' : character))
          .join('')
          .replaceAll(/\0+/g, '***');
        assert.equal(output, expected);
      },
    ),
  );
});

test('a token in hex is masked in the other case too', () => {
  const token = '0123456789abcdef0123456789abcdef';
  for (const given of [token, token.toUpperCase()]) {
    assert.equal(new SecretMask([given]).text(`${token} ${token.toUpperCase()}`), '*** ***');
  }
});
