import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { TestAuthority } from '@sallyport/dev-env';
import type { Bench, Case } from '../bench.ts';
import type { Cut, StreamCommands } from '../load/stream-load.ts';
import type { Worker } from '../process/children.ts';
import type { Comparison } from '../report.ts';
import { cloneRows } from '../servers/clone-rows.ts';
import { type BenchAccount, Sallyport } from '../servers/sallyport.ts';
import { percentile } from '../statistics.ts';
import { type Fleet, OTHERS, type PeerChange } from './trust-change-fleet.ts';
import { besideHAProxy } from './trust-change-haproxy.ts';
import { besideNginx } from './trust-change-nginx.ts';

const GOAL_P99_MS = 100;
/** Affected connections of each kind and round. */
const EACH = 10;
const TIMEOUT_MS = 5_000;
const LIVE_ACCOUNTS = 20;

/** From the API's answer of a change of trust to the close of the last connection that it cuts. */
export const trustChange: Case = {
  name: 'trust-change',
  title: 'A change of trust: until the last affected connection is closed',
  async run(bench) {
    const fleet: Fleet = bench.quick
      ? { accounts: 500, live: 200, rounds: 5 }
      : { accounts: 10_000, live: 2_000, rounds: 50 };
    const alone = await measureOurs(bench, 'alone', { accounts: 0, live: 0, rounds: fleet.rounds });
    const crowded = await measureOurs(bench, 'crowded', fleet);
    const rows = [
      row('alone', alone),
      row(`among ${fleet.accounts} accounts, ${fleet.live} live`, crowded),
      othersRow(fleet, crowded),
    ];
    const nginx = await besideNginx(bench, fleet);
    const haproxy = await besideHAProxy(bench, fleet);
    return [...rows, ...[nginx, haproxy].map((peer) => inForceRow(fleet, crowded, peer))];
  },
};

interface Ours {
  /** Of flips to STRICT and of replaced CAs. */
  readonly flips: readonly Cut[];
  readonly replacements: readonly Cut[];
  /** Connections of other accounts that were closed meanwhile. */
  readonly othersClosed: number;
}

async function measureOurs(bench: Bench, name: string, fleet: Fleet): Promise<Ours> {
  const { children, certificates, folder } = bench;
  const dataDirectory = join(folder, name);
  mkdirSync(dataDirectory);
  const sallyport = await Sallyport.start(children, certificates, dataDirectory);
  const acme = await sallyport.account('acme');
  const load = () => children.worker<StreamCommands>(new URL('../load/stream-load.ts', import.meta.url));
  const others = await load();
  const neighbours: BenchAccount[] = [];
  if (fleet.accounts > 0) {
    bench.say(`${fleet.accounts} accounts`);
    for (let number = 0; number < LIVE_ACCOUNTS; number += 1)
      neighbours.push(await sallyport.account(`live-${number}`));
    await sallyport.whileStopped(() => cloneAccounts(dataDirectory, fleet.accounts - LIVE_ACCOUNTS));
  }
  const { certificatePem, privateKeyPem } = certificates.client;
  const open = (
    worker: Worker<StreamCommands>,
    group: string,
    account: BenchAccount,
    way: 'mtls' | 'plain',
    count: number,
    streams: boolean,
  ) =>
    worker.call('open', {
      group,
      destination: {
        port: way === 'mtls' ? sallyport.mtlsPort : sallyport.publicPort,
        serverName: way === 'mtls' ? account.fqdn : 'localhost',
        accountId: account.id,
        token: account.token,
      },
      certificates: way === 'mtls' ? [{ certificatePem, privateKeyPem }] : [],
      count,
      registered: null,
      streams,
    });
  for (const neighbour of neighbours) await open(others, OTHERS, neighbour, 'mtls', fleet.live / LIVE_ACCOUNTS, true);

  const affected = await load();
  const nextCa = await TestAuthority.create('The CA that comes next');
  const path = `/ng/api/agent/mtls/endpoint?accountIdentifier=${acme.id}`;
  const change = (groups: readonly string[], body: unknown) =>
    affected.call('change', {
      groups,
      port: sallyport.publicPort,
      serverCa: certificates.serverCa,
      apiKey: sallyport.operatorKey,
      method: 'PATCH',
      path,
      body,
      timeoutMs: TIMEOUT_MS,
    });
  const flips: Cut[] = [];
  const replacements: Cut[] = [];
  for (let round = 0; round < fleet.rounds; round += 1) {
    if (round % 10 === 0) bench.say(`${name}: round ${round + 1} of ${fleet.rounds}`);
    await open(affected, 'plain', acme, 'plain', EACH, true);
    await open(affected, 'plain', acme, 'plain', EACH, false);
    await open(affected, 'mtls', acme, 'mtls', EACH, true);
    await open(affected, 'mtls', acme, 'mtls', EACH, false);
    flips.push(await change(['plain'], { mode: 'STRICT' }));
    replacements.push(await change(['mtls'], { caCertificates: nextCa.certificatePem }));
    await change([], { mode: 'LOOSE', caCertificates: certificates.authority.certificatePem });
    await Promise.all([affected.call('close', 'plain'), affected.call('close', 'mtls')]);
  }
  const left = await others.call('count', OTHERS);
  await children.stopAll();
  const cuts = [...flips, ...replacements];
  const missed = cuts.filter(({ closed, expected }) => closed < expected).length;
  if (missed > 0)
    throw new Error(`after ${missed} of ${cuts.length} changes a connection stayed open for ${TIMEOUT_MS} ms`);
  return { flips, replacements, othersClosed: left.closed };
}

/** Accounts with an endpoint that nobody is connected to, made from one that the manager has written. */
function cloneAccounts(dataDirectory: string, count: number): void {
  const file = join(dataDirectory, 'sallyport.db');
  const id = (number: number) => `other-${number}`;
  cloneRows(file, { table: 'accounts', column: 'id', value: 'acme' }, count, { id });
  cloneRows(file, { table: 'mtls_endpoints', column: 'account_id', value: 'acme' }, count, {
    uuid: (number) => `other-endpoint-${number}`,
    account_id: id,
    fqdn: (number) => `other-${number}.agent.localhost`,
  });
}

function row(where: string, { flips, replacements }: Ours): Comparison {
  const times = [...flips, ...replacements].map(({ afterAnswerMs }) => Math.max(0, afterAnswerMs));
  const [p50, p99] = [percentile(times, 50), percentile(times, 99)];
  return {
    measure: `answer to last close, ${where}`,
    ours: `p50 ${p50.toFixed(1)}, p99 ${p99.toFixed(1)} ms`,
    peer: '',
    theirs: '',
    ratio: null,
    goal: { text: `p99 <= ${GOAL_P99_MS} ms`, met: p99 <= GOAL_P99_MS },
  };
}

function othersRow({ live }: Fleet, { flips, replacements, othersClosed }: Ours): Comparison {
  return {
    measure: `connections of others closed by ${flips.length + replacements.length} changes`,
    ours: `${othersClosed} of ${live}`,
    peer: '',
    theirs: '',
    ratio: null,
    goal: { text: '0', met: othersClosed === 0 },
  };
}

function inForceRow({ accounts }: Fleet, { replacements }: Ours, peer: PeerChange): Comparison {
  const ours = percentile(
    replacements.map(({ callMs }) => callMs),
    50,
  );
  return {
    measure: `CA replaced among ${accounts} accounts: until in force`,
    ours: `${ours.toFixed(1)} ms`,
    peer: peer.name,
    theirs: peer.inForceMs === null ? 'not installed' : `${peer.inForceMs.toFixed(1)} ms; ${peer.connections}`,
    ratio: peer.inForceMs === null ? null : ours / peer.inForceMs,
    goal: null,
  };
}
