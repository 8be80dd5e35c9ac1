import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import type { Bench } from '../bench.ts';
import type { StreamCommands } from '../load/stream-load.ts';
import type { Worker } from '../process/children.ts';
import type { BareNodeCommands } from '../servers/bare-node-process.ts';

export interface Fleet {
  /** Other accounts that the server knows. */
  readonly accounts: number;
  /** Live connections of other accounts. */
  readonly live: number;
  readonly rounds: number;
}

export interface PeerChange {
  readonly name: string;
  /** From asking for the change to the first handshake that is judged by it; null: not installed. */
  readonly inForceMs: number | null;
  /** What became of the connections, in words. */
  readonly connections: string;
}

export const OTHERS = 'others';
export const AFFECTED = 'affected';
export const AFFECTED_COUNT = 20;
export const ACME = 'acme.agent.localhost';

/** One CA file an account, as a proxy's configuration names them. Returns the file of account `number`; -1 is acme. */
export function writeCaFiles({ folder, certificates }: Bench, accounts: number): (number: number) => string {
  const caFolder = join(folder, 'ca');
  mkdirSync(caFolder, { recursive: true });
  const file = (number: number) => join(caFolder, number < 0 ? 'acme.crt' : `other-${number}.crt`);
  for (let number = -1; number < accounts; number += 1)
    writeFileSync(file(number), certificates.authority.certificatePem);
  return file;
}

/** The bare Node program behind a proxy. Resolves with its port. */
export async function startBackend({ children }: Bench): Promise<number> {
  const bare = await children.worker<BareNodeCommands>(new URL('../servers/bare-node-process.ts', import.meta.url));
  return bare.call('start', '{"resource":{"delegateId":"none"}}');
}

/** Push streams through a proxy: of acme, and of others. */
export async function openThrough(
  { children, certificates }: Bench,
  port: number,
  live: number,
): Promise<Worker<StreamCommands>> {
  const load = await children.worker<StreamCommands>(new URL('../load/stream-load.ts', import.meta.url));
  const { certificatePem, privateKeyPem } = certificates.client;
  for (const [group, serverName, count] of [
    [OTHERS, 'other-0.agent.localhost', live],
    [AFFECTED, ACME, AFFECTED_COUNT],
  ] as const) {
    await load.call('open', {
      group,
      destination: { port, serverName, accountId: 'acme', token: '0123456789abcdef0123456789abcdef' },
      certificates: [{ certificatePem, privateKeyPem }],
      count,
      registered: null,
      streams: true,
    });
  }
  return load;
}

/** Resolves with the milliseconds from now until a client certificate of acme's old CA gets no 200 any more. */
export async function untilRefused({ certificates }: Bench, port: number, timeoutMs: number): Promise<number> {
  const started = performance.now();
  for (;;) {
    const asked = performance.now();
    if (!(await admitted(certificates.client, port))) return asked - started;
    if (asked - started > timeoutMs) throw new Error(`the old CA was still accepted after ${timeoutMs} ms`);
    await sleep(2);
  }
}

function admitted(pair: { certificatePem: string; privateKeyPem: string }, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const { certificatePem: cert, privateKeyPem: key } = pair;
    const socket = connect({ host: '127.0.0.1', port, servername: ACME, cert, key, rejectUnauthorized: false });
    let answer = '';
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1');
      socket.end();
    });
    // A handshake that is refused ends in an error; either way there is no 200.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => resolve(answer.startsWith('HTTP/1.1 200 ')));
    socket.write(`GET / HTTP/1.1\r\nhost: ${ACME}\r\nconnection: close\r\n\r\n`);
  });
}

/** What became of the connections, in words. */
export async function fate(load: Worker<StreamCommands>, live: number): Promise<string> {
  const [affected, others] = [await load.call('count', AFFECTED), await load.call('count', OTHERS)];
  return `${affected.closed} of ${AFFECTED_COUNT} affected, ${others.closed} of ${live} others closed`;
}
