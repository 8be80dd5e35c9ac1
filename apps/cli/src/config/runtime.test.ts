import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { TestAuthority } from '@sallyport/dev-env';
import { nodeOptions, serverOptions } from './runtime.mjs';

const COUNTS_TICKETS = `
  const { connect, createServer } = require('node:tls');
  const { readFileSync } = require('node:fs');
  const pair = { cert: readFileSync(process.argv[1]), key: readFileSync(process.argv[2]) };
  const { SSL_OP_NO_TICKET: secureOptions } = require('node:crypto').constants;
  const server = createServer({ ...pair, secureOptions }, (socket) => socket.end('bye'));
  server.listen(0, '127.0.0.1', () => {
    let tickets = 0;
    const client = connect({ port: server.address().port, host: '127.0.0.1', rejectUnauthorized: false });
    client.on('session', () => (tickets += 1));
    client.resume().on('close', () => { server.close(); console.log(tickets); });
  });`;

test('a process that serves TLS makes no session tickets, which Node alone cannot be told', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-runtime-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const { certificatePem, privateKeyPem } = (await TestAuthority.create('Any certificate')).pair;
  const files = [join(folder, 'a.crt'), join(folder, 'a.key')] as const;
  writeFileSync(files[0], certificatePem);
  writeFileSync(files[1], privateKeyPem);
  const tickets = async (options: readonly string[]) => {
    const { stdout } = await promisify(execFile)(process.execPath, [...options, '-e', COUNTS_TICKETS, ...files]);
    return stdout.trim();
  };
  assert.equal(await tickets(serverOptions()), '0');
  assert.equal(await tickets(nodeOptions), '2', 'Node makes them by itself: else the configuration can go');
});
