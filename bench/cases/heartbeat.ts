import { join } from 'node:path';
import type { Bench, Case } from '../bench.ts';
import type { HeartbeatCommands } from '../load/heartbeat-load.ts';
import type { Worker } from '../process/children.ts';
import { cpuSeconds } from '../process/cpu.ts';
import { type Comparison, microseconds, ratioGoal } from '../report.ts';
import type { BareNodeCommands } from '../servers/bare-node-process.ts';
import { Nginx, proxying } from '../servers/nginx.ts';
import { freePort } from '../servers/programs.ts';
import { type BenchAccount, Sallyport } from '../servers/sallyport.ts';
import { median, pairedRatio } from '../statistics.ts';
import { type Contender, inTurns } from '../turns.ts';

const GOAL = 1;
const DELEGATES = 100;
/** How many heartbeats are under way at once. */
const SINGLE = 1;
const BURST = 16;
/** A delegate of ours sends one every 30 s and makes a new JWE every 10 minutes. */
const PER_TOKEN = 20;

const OURS = 'Sallyport';
const NGINX = 'nginx';

/** One heartbeat on a kept mTLS connection, with all that belongs to it: token, both verdicts, presence. */
export const heartbeat: Case = {
  name: 'heartbeat',
  title: 'One heartbeat on a kept mTLS connection: server CPU',
  async run(bench) {
    // Many short rounds: neighbours of a virtual machine change within seconds.
    const rounds = { warmUp: 15, counted: bench.quick ? 9 : 27 };
    const count = 2_000;
    const sallyport = await Sallyport.start(bench.children, bench.certificates, join(bench.folder, 'sallyport'));
    const account = await sallyport.account('acme');
    const ours = await openClients(bench, sallyport.mtlsPort, account);
    const servers: Served[] = [{ name: OURS, load: ours.load, pids: () => sallyport.pids }];
    if (Nginx.version() !== null) {
      const bare = await bench.children.worker<BareNodeCommands>(
        new URL('../servers/bare-node-process.ts', import.meta.url),
      );
      const nginx = await startNginx(bench, await bare.call('start', ours.answer));
      const theirs = await openClients(bench, nginx.port, account);
      servers.push({ name: NGINX, load: theirs.load, pids: () => [...nginx.pids, bare.pid] });
    }
    const comparisons: Comparison[] = [];
    for (const concurrency of [SINGLE, BURST]) {
      bench.say(concurrency === SINGLE ? 'one at a time' : `${concurrency} at once`);
      const contenders = servers.map((server) => contender(server, count, concurrency));
      comparisons.push(comparison(await inTurns(contenders, rounds, bench.say), concurrency));
    }
    await bench.children.stopAll();
    return comparisons;
  },
};

function comparison(costs: ReadonlyMap<string, readonly number[]>, concurrency: number): Comparison {
  const [ours, theirs] = [costs.get(OURS) ?? [], costs.get(NGINX)];
  const ratio = theirs === undefined ? null : pairedRatio(ours, theirs);
  return {
    measure: `heartbeat on a kept connection, ${concurrency === SINGLE ? 'one at a time' : `${concurrency} at once`}, CPU`,
    ours: microseconds(median(ours)),
    peer: `${Nginx.version() ?? NGINX} + bare Node`,
    theirs: theirs === undefined ? 'not installed' : microseconds(median(theirs)),
    ratio,
    goal: ratio === null || concurrency !== SINGLE ? null : ratioGoal(GOAL, ratio),
  };
}

interface Served {
  readonly name: string;
  readonly load: Worker<HeartbeatCommands>;
  readonly pids: () => readonly number[];
}

function contender({ name, load, pids }: Served, count: number, concurrency: number): Contender {
  return {
    name,
    async once() {
      const before = cpuSeconds(pids());
      await load.call('run', { count, concurrency });
      return (cpuSeconds(pids()) - before) / count;
    },
  };
}

async function openClients(
  { children, certificates }: Bench,
  port: number,
  { id, token, fqdn }: BenchAccount,
): Promise<{ load: Worker<HeartbeatCommands>; answer: string }> {
  const { certificatePem, privateKeyPem } = certificates.client;
  const load = await children.worker<HeartbeatCommands>(new URL('../load/heartbeat-load.ts', import.meta.url));
  const answer = await load.call('open', {
    port,
    serverName: fqdn,
    accountId: id,
    token,
    certificatePem,
    privateKeyPem,
    delegates: DELEGATES,
    perToken: PER_TOKEN,
  });
  return { load, answer };
}

async function startNginx(bench: Bench, backend: number): Promise<Nginx> {
  const port = await freePort();
  const http = proxying(bench, port, backend, DELEGATES);
  return Nginx.start(bench.children, join(bench.folder, 'nginx'), { port, http });
}
