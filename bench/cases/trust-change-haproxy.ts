import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestAuthority } from '@sallyport/dev-env';
import type { Bench } from '../bench.ts';
import { HAProxy } from '../servers/haproxy.ts';
import { freePort } from '../servers/programs.ts';
import {
  ACME,
  type Fleet,
  fate,
  openThrough,
  type PeerChange,
  startBackend,
  untilRefused,
  writeCaFiles,
} from './trust-change-fleet.ts';

const TIMEOUT_MS = 120_000;
const AFTERMATH_MS = 2_000;

/** HAProxy's runtime API replaces one CA file in memory; what is connected stays connected, and a restart forgets it. */
export async function besideHAProxy(bench: Bench, fleet: Fleet): Promise<PeerChange> {
  const version = HAProxy.version();
  if (version === null) return { name: 'HAProxy runtime API', inForceMs: null, connections: '' };
  bench.say(`${version} with ${fleet.accounts} accounts`);
  const caFile = writeCaFiles(bench, fleet.accounts);
  const port = await freePort();
  const backend = await startBackend(bench);
  const names = [ACME, ...Array.from({ length: fleet.accounts }, (_, number) => `other-${number}.agent.localhost`)];
  const list = join(bench.folder, 'crt-list.txt');
  const { serverBoth } = bench.certificates.files;
  writeFileSync(
    list,
    names.map((name, index) => `${serverBoth} [ca-file ${caFile(index - 1)} verify required] ${name}\n`).join(''),
  );
  const haproxy = await HAProxy.start(bench.children, join(bench.folder, 'haproxy'), {
    port,
    startTimeoutMs: TIMEOUT_MS,
    sections: `
frontend mtls
  bind 127.0.0.1:${port} ssl crt-list ${list} no-tls-tickets
  default_backend node
backend node
  server node 127.0.0.1:${backend}`,
  });
  const load = await openThrough(bench, port, fleet.live);
  const next = (await TestAuthority.create('The CA that comes next')).certificatePem;
  const started = performance.now();
  const set = await haproxy.command(`set ssl ca-file ${caFile(-1)} <<\n${next}`);
  const committed = await haproxy.command(`commit ssl ca-file ${caFile(-1)}`);
  const callMs = performance.now() - started;
  if (!committed.includes('Success')) throw new Error(`HAProxy did not take the CA: ${set}${committed}`);
  const late = await untilRefused(bench, port, TIMEOUT_MS);
  await sleep(AFTERMATH_MS);
  const connections = await fate(load, fleet.live);
  await bench.children.stopAll();
  return { name: `${version} runtime API`, inForceMs: callMs + late, connections };
}
