import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lockFile } from './lock-file.ts';

const found = (packages: object) =>
  [...lockFile([{ path: 'package-lock.json', text: JSON.stringify({ packages }) }])].map(
    (violation) => violation.found,
  );

test('an optional package for another platform that is not locked is found', () => {
  const tool = { optionalDependencies: { '@tool/linux': '1.0.0', '@tool/windows': '1.0.0' } };
  assert.deepEqual(found({ 'node_modules/tool': tool, 'node_modules/@tool/linux': {} }), ['@tool/windows']);
  const nested = {
    'node_modules/tool': tool,
    'node_modules/tool/node_modules/@tool/windows': {},
    'node_modules/@tool/linux': {},
  };
  assert.deepEqual(found(nested), []);
});

test('a download address is found, the folder of a workspace is none', () => {
  const address = ['https:', '', 'registry.example.test', 'tool.tgz'].join('/');
  assert.deepEqual(
    found({ 'node_modules/tool': { resolved: address }, 'node_modules/room': { resolved: 'packages/room' } }),
    ['node_modules/tool'],
  );
});
