import { join } from 'node:path';
import type { Bench, Case } from '../bench.ts';
import type { HandshakeCommands } from '../load/handshake-load.ts';
import { buildAddon, whyNotAlone } from '../openssl/openssl-alone.ts';
import type { AloneCommands } from '../openssl/openssl-process.ts';
import type { Worker } from '../process/children.ts';
import { cpuSeconds } from '../process/cpu.ts';
import { type Comparison, milliseconds, ratioGoal } from '../report.ts';
import { HAProxy } from '../servers/haproxy.ts';
import { Nginx } from '../servers/nginx.ts';
import { freePort } from '../servers/programs.ts';
import { Sallyport } from '../servers/sallyport.ts';
import { median, pairedRatio } from '../statistics.ts';
import { type Contender, inTurns } from '../turns.ts';

const NGINX_GOAL = 0.7;
const OPENSSL_GOAL = 2.7;
const SERVER_NAME = 'acme.agent.localhost';
/** What OpenSSL 3.0 can do too: with its own choice, the newer one would do more work for the hybrid key exchange. */
const GROUPS = 'X25519';
const CONCURRENCY = 8;

const OURS = 'Sallyport';
const OURS_HYBRID = 'Sallyport, X25519MLKEM768';
const NGINX = 'nginx';
const NGINX_NO_TICKETS = 'nginx, tickets off';
const HAPROXY = 'HAProxy';
const OPENSSL = 'OpenSSL alone';

/** A full TLS 1.3 handshake with a client certificate, one small request, and the end of the connection. */
export const handshake: Case = {
  name: 'handshake',
  title: 'Full mTLS handshake and one request: server CPU',
  async run(bench) {
    // Many short rounds: what neighbours of a virtual machine do changes within seconds, and a round has six contenders.
    const rounds = bench.quick ? { warmUp: 5, counted: 3 } : { warmUp: 15, counted: 27 };
    const count = bench.quick ? 300 : 500;
    const load = await bench.children.worker<HandshakeCommands>(new URL('../load/handshake-load.ts', import.meta.url));
    const sallyport = await Sallyport.start(bench.children, bench.certificates, join(bench.folder, 'sallyport'));
    await sallyport.account('acme');
    const server = (name: string, port: number, pids: () => readonly number[], groups = GROUPS): Contender => ({
      name,
      once: () => connections(bench, load, { port, count, groups }, pids),
    });
    const contenders = [
      server(OURS, sallyport.mtlsPort, () => sallyport.pids),
      server(OURS_HYBRID, sallyport.mtlsPort, () => sallyport.pids, `X25519MLKEM768:${GROUPS}`),
    ];
    if (Nginx.version() !== null) {
      for (const [name, tickets] of [
        [NGINX, 'on'],
        [NGINX_NO_TICKETS, 'off'],
      ] as const) {
        const nginx = await startNginx(bench, tickets);
        contenders.push(server(name, nginx.port, () => nginx.pids));
      }
    }
    if (HAProxy.version() !== null) {
      const haproxy = await startHAProxy(bench);
      contenders.push(server(HAPROXY, haproxy.port, () => haproxy.pids));
    }
    if (whyNotAlone() === null) contenders.push(await openSslAlone(bench, count));
    const costs = await inTurns(contenders, rounds, bench.say);
    await bench.children.stopAll();
    return comparisons(costs);
  },
};

function comparisons(costs: ReadonlyMap<string, readonly number[]>): Comparison[] {
  const compare = (ours: string, theirs: string, limit: number | null, version: string | null, missing: string) => {
    const [mine, other] = [costs.get(ours) ?? [], costs.get(theirs)];
    const ratio = other === undefined ? null : pairedRatio(mine, other);
    return {
      measure: ours === OURS ? 'mTLS handshake + 1 request, CPU' : 'the same, hybrid key exchange',
      ours: milliseconds(median(mine)),
      peer: version === null ? theirs : theirs.replace(/^\w+/, version),
      theirs: other === undefined ? missing : milliseconds(median(other)),
      ratio,
      goal: limit === null || ratio === null ? null : ratioGoal(limit, ratio),
    };
  };
  return [
    compare(OURS, NGINX, NGINX_GOAL, Nginx.version(), 'not installed'),
    compare(OURS, NGINX_NO_TICKETS, null, Nginx.version(), 'not installed'),
    compare(OURS, HAPROXY, null, HAProxy.version(), 'not installed'),
    compare(OURS, OPENSSL, OPENSSL_GOAL, `OpenSSL ${process.versions.openssl}`, whyNotAlone() ?? ''),
    compare(OURS_HYBRID, OURS, null, null, ''),
  ];
}

async function connections(
  { certificates }: Bench,
  load: Worker<HandshakeCommands>,
  { port, count, groups }: { port: number; count: number; groups: string },
  pids: () => readonly number[],
): Promise<number> {
  const { certificatePem, privateKeyPem } = certificates.client;
  const before = cpuSeconds(pids());
  await load.call('run', {
    port,
    serverName: SERVER_NAME,
    path: '/healthz',
    certificatePem,
    privateKeyPem,
    count,
    concurrency: CONCURRENCY,
    groups,
  });
  return (cpuSeconds(pids()) - before) / count;
}

async function startNginx(bench: Bench, tickets: 'on' | 'off'): Promise<Nginx> {
  const port = await freePort();
  const { serverCertificate, serverKey, clientCa } = bench.certificates.files;
  return Nginx.start(bench.children, join(bench.folder, `nginx-${tickets}`), {
    port,
    http: `
  server {
    listen 127.0.0.1:${port} ssl backlog=4096;
    server_name ${SERVER_NAME};
    ssl_protocols TLSv1.3;
    ssl_certificate ${serverCertificate};
    ssl_certificate_key ${serverKey};
    ssl_client_certificate ${clientCa};
    ssl_verify_client on;
    ssl_session_tickets ${tickets};
    location = /healthz { return 200 "OK"; }
  }`,
  });
}

async function startHAProxy(bench: Bench): Promise<HAProxy> {
  const port = await freePort();
  const { serverBoth, clientCa } = bench.certificates.files;
  return HAProxy.start(bench.children, join(bench.folder, 'haproxy'), {
    port,
    sections: `
frontend mtls
  bind 127.0.0.1:${port} backlog 4096 ssl crt ${serverBoth} ca-file ${clientCa} verify required no-tls-tickets
  http-request return status 200 content-type text/plain string OK if { path /healthz }`,
  });
}

async function openSslAlone(bench: Bench, count: number): Promise<Contender> {
  const addon = buildAddon(bench.folder);
  const worker = await bench.children.worker<AloneCommands>(new URL('../openssl/openssl-process.ts', import.meta.url));
  const { authority, client, server } = bench.certificates;
  const pair = ({ certificatePem, privateKeyPem }: typeof client) => ({ certificatePem, privateKeyPem });
  return {
    name: OPENSSL,
    once: () =>
      worker.call('run', {
        addon,
        count,
        groups: GROUPS,
        server: pair(server),
        client: pair(client),
        clientCa: authority.certificatePem,
      }),
  };
}
