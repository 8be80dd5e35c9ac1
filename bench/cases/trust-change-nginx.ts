import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestAuthority } from '@sallyport/dev-env';
import type { Bench } from '../bench.ts';
import { Nginx } from '../servers/nginx.ts';
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

/** Ten thousand server blocks took nine seconds on the machine that this was written on. */
const TIMEOUT_MS = 180_000;
/** Long after the reload: whatever it cuts by itself is cut by then. */
const AFTERMATH_MS = 2_000;

/** nginx learns of a change by a reload of its whole configuration; workers of before keep the connections that they have. */
export async function besideNginx(bench: Bench, fleet: Fleet): Promise<PeerChange> {
  const version = Nginx.version();
  if (version === null) return { name: 'nginx reload', inForceMs: null, connections: '' };
  bench.say(`${version} with ${fleet.accounts} server blocks`);
  const caFile = writeCaFiles(bench, fleet.accounts);
  const port = await freePort();
  const backend = await startBackend(bench);
  const nginx = await Nginx.start(bench.children, join(bench.folder, 'nginx'), {
    port,
    http: configuration(bench, fleet.accounts, port, backend, caFile),
    startTimeoutMs: TIMEOUT_MS,
  });
  const load = await openThrough(bench, port, fleet.live);
  writeFileSync(caFile(-1), (await TestAuthority.create('The CA that comes next')).certificatePem);
  nginx.process.signal('SIGHUP');
  const inForceMs = await untilRefused(bench, port, TIMEOUT_MS);
  await sleep(AFTERMATH_MS);
  const connections = await fate(load, fleet.live);
  await bench.children.stopAll();
  return { name: `${version} reload`, inForceMs, connections };
}

function configuration(
  { certificates }: Bench,
  accounts: number,
  port: number,
  backend: number,
  caFile: (number: number) => string,
): string {
  const server = (name: string, number: number) => `
  server {
    listen 127.0.0.1:${port} ssl;
    server_name ${name};
    ssl_client_certificate ${caFile(number)};
    ssl_verify_client on;
    location / { proxy_pass http://127.0.0.1:${backend}; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade; proxy_read_timeout 10m; }
  }`;
  const others = Array.from({ length: accounts }, (_, number) => server(`other-${number}.agent.localhost`, number));
  return `
  map $http_upgrade $connection_upgrade { default upgrade; '' close; }
  server_names_hash_max_size 65536;
  server_names_hash_bucket_size 128;
  ssl_protocols TLSv1.3;
  ssl_session_tickets off;
  ssl_certificate ${certificates.files.serverCertificate};
  ssl_certificate_key ${certificates.files.serverKey};
${server(ACME, -1)}
${others.join('\n')}`;
}
