import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { crc32, gzipSync, inflateRawSync } from 'node:zlib';
import { entryName, zip } from './zip.ts';

const at = Date.UTC(2026, 1, 3, 4, 5, 6);

async function archive(files: Readonly<Record<string, Buffer>>): Promise<Buffer> {
  const entries = Object.entries(files).map(([name, content]) => ({
    name,
    modifiedAt: at,
    // In small pieces, so that header and trailer are cut apart.
    open: async () => {
      const packed = gzipSync(content);
      const pieces: Buffer[] = [];
      for (let offset = 0; offset < packed.length; offset += 7) pieces.push(packed.subarray(offset, offset + 7));
      return Readable.from(pieces);
    },
  }));
  const parts: Buffer[] = [];
  for await (const part of zip(entries)) parts.push(part);
  return Buffer.concat(parts);
}

/** Reads an archive by its directory, as programs do. */
function unpack(bytes: Buffer): Record<string, Buffer> {
  const end = bytes.length - 22;
  assert.equal(bytes.readUInt32LE(end), 0x06054b50);
  const files: Record<string, Buffer> = {};
  let offset = bytes.readUInt32LE(end + 16);
  for (let count = bytes.readUInt16LE(end + 10); count > 0; count -= 1) {
    assert.equal(bytes.readUInt32LE(offset), 0x02014b50);
    const crc = bytes.readUInt32LE(offset + 16);
    const compressed = bytes.readUInt32LE(offset + 20);
    const size = bytes.readUInt32LE(offset + 24);
    const nameLength = bytes.readUInt16LE(offset + 28);
    const name = bytes.toString('utf8', offset + 46, offset + 46 + nameLength);
    const start = bytes.readUInt32LE(offset + 42);
    assert.equal(bytes.readUInt32LE(start), 0x04034b50);
    const data = start + 30 + bytes.readUInt16LE(start + 26);
    const content = inflateRawSync(bytes.subarray(data, data + compressed));
    assert.equal(content.length, size);
    assert.equal(crc32(content), crc);
    assert.equal(bytes.readUInt32LE(data + compressed), 0x08074b50);
    files[name] = content;
    offset += 46 + nameLength;
  }
  return files;
}

test('what was stored as gzip comes out of the archive', async () => {
  const files = {
    'a/b.ndjson': Buffer.from('hello\n'.repeat(1_000)),
    'empty.ndjson': Buffer.alloc(0),
    c: Buffer.from('x'),
  };
  assert.deepEqual(unpack(await archive(files)), files);
  assert.deepEqual(unpack(await archive({})), {});
});

test('what is no gzip member of ours stops the archive', async () => {
  const entry = { name: 'a', modifiedAt: at, open: async () => Readable.from([Buffer.from('not gzip at all')]) };
  await assert.rejects(async () => {
    for await (const _ of zip([entry]));
  }, /not a plain gzip member/);
  const short = { name: 'a', modifiedAt: at, open: async () => Readable.from([gzipSync('x').subarray(0, 12)]) };
  await assert.rejects(async () => {
    for await (const _ of zip([short]));
  }, /cut short/);
});

test('a name in the archive leads nowhere and is one of its own', () => {
  const keys = [
    '..',
    '.',
    '',
    'a/../b',
    'a//b',
    'a/b',
    '/a',
    '~/a',
    'c:\\a',
    'a%2Fb',
    'a\u0000',
    'a*',
    '%2E%2E',
    '%',
    '\ud800',
  ];
  const names = keys.map(entryName);
  assert.equal(new Set(names).size, keys.length);
  for (const name of names) {
    for (const part of name.split('/')) assert.match(part, /^(?!\.+$)[\w.~%!()-]+$/, name);
  }
});
