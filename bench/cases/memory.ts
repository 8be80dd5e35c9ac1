import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench, Case } from '../bench.ts';
import type { Pair } from '../certificates.ts';
import type { Destination } from '../load/push-stream.ts';
import type { StreamCommands } from '../load/stream-load.ts';
import { residentKiB } from '../process/cpu.ts';
import type { Comparison } from '../report.ts';
import { cloneRows } from '../servers/clone-rows.ts';
import { type BenchAccount, Sallyport } from '../servers/sallyport.ts';

const GOAL_KIB = 70;
const CLIENT_PROCESSES = 4;
/** What the manager has open besides delegates, generously. */
const OTHER_FILES = 500;
const WARM_UP = 200;
const PREFIX = 'delegate-';

/** Resident memory per delegate that stays connected by an mTLS WebSocket push stream. */
export const memory: Case = {
  name: 'memory',
  title: 'Memory per connected delegate (mTLS, WebSocket)',
  async run(bench) {
    const wanted = bench.quick ? 1_000 : 10_000;
    const delegates = Math.min(wanted, openFilesLimit() - OTHER_FILES);
    if (delegates < wanted) bench.say(`only ${delegates} delegates: the limit of open files is ${openFilesLimit()}`);
    const different = bench.quick ? 100 : 1_000;
    const clients = await Promise.all(
      Array.from({ length: different }, (_, number) => bench.certificates.authority.client(`delegate-${number}`)),
    );
    return [
      await measure(bench, delegates, [bench.certificates.client], 'one client certificate'),
      await measure(bench, delegates, clients, `${different} client certificates`),
    ];
  },
};

async function measure(bench: Bench, delegates: number, pairs: readonly Pair[], how: string): Promise<Comparison> {
  const { children, certificates, folder } = bench;
  const dataDirectory = join(folder, `data-${pairs.length}`);
  const sallyport = await Sallyport.start(children, certificates, dataDirectory, ['--expose-gc']);
  const account = await sallyport.account('acme');
  const loads = await Promise.all(
    Array.from({ length: CLIENT_PROCESSES }, () =>
      children.worker<StreamCommands>(new URL('../load/stream-load.ts', import.meta.url)),
    ),
  );
  const each = Math.ceil(delegates / CLIENT_PROCESSES);
  await registerMany(bench, sallyport, account, dataDirectory, each * CLIENT_PROCESSES);
  const open = (group: string, count: number) =>
    Promise.all(
      loads.map((load, number) =>
        load.call('open', {
          group,
          destination: destinationOf(sallyport, account),
          certificates: pairs.map(({ certificatePem, privateKeyPem }) => ({ certificatePem, privateKeyPem })),
          count,
          registered: { prefix: PREFIX, from: number * each },
          streams: true,
        }),
      ),
    );
  bench.say(`${how}: warming up`);
  await open('warm-up', Math.ceil(WARM_UP / CLIENT_PROCESSES));
  await Promise.all(loads.map((load) => load.call('close', 'warm-up')));
  const before = await settled(sallyport);
  bench.say(`${how}: connecting ${delegates} delegates`);
  await open('delegates', each);
  const after = await settled(sallyport);
  const counts = await Promise.all(loads.map((load) => load.call('count', 'delegates')));
  const connected = counts.reduce((sum, { open: now }) => sum + now, 0);
  const lost = counts.reduce((sum, { closed }) => sum + closed, 0);
  await children.stopAll();
  if (lost > 0) throw new Error(`${lost} of ${connected + lost} delegates lost their connection while it was measured`);
  const kib = (after - before) / connected;
  return {
    measure: `memory per connected delegate, ${connected} with ${how}`,
    ours: `${kib.toFixed(1)} KiB`,
    peer: '',
    theirs: '',
    ratio: null,
    goal: { text: `<= ${GOAL_KIB} KiB`, met: kib <= GOAL_KIB },
  };
}

/** One delegate registers itself, and becomes `count` under other ids: a registration is a disk write each, and not what is measured. */
async function registerMany(
  { children, certificates }: Bench,
  sallyport: Sallyport,
  account: BenchAccount,
  dataDirectory: string,
  count: number,
): Promise<void> {
  const load = await children.worker<StreamCommands>(new URL('../load/stream-load.ts', import.meta.url));
  const { certificatePem, privateKeyPem } = certificates.client;
  await load.call('open', {
    group: 'first',
    destination: destinationOf(sallyport, account),
    certificates: [{ certificatePem, privateKeyPem }],
    count: 1,
    registered: null,
    streams: false,
  });
  await load.stop();
  await sallyport.whileStopped(() =>
    cloneRows(
      join(dataDirectory, 'sallyport.db'),
      { table: 'delegates', column: 'account_id', value: account.id },
      count,
      {
        id: (number) => `${PREFIX}${number}`,
        name: (number) => `${PREFIX}${number}`,
        host_name: (number) => `${PREFIX}${number}`,
      },
    ),
  );
}

function destinationOf({ mtlsPort }: Sallyport, { fqdn, id, token }: BenchAccount): Destination {
  return { port: mtlsPort, serverName: fqdn, accountId: id, token };
}

/** Resident KiB of the manager once its garbage is collected and what comes with many new connections is over. */
async function settled({ worker }: Sallyport): Promise<number> {
  for (let round = 0; round < 3; round += 1) {
    await sleep(1_000);
    await worker.call('collectGarbage', undefined);
  }
  return residentKiB(worker.pid);
}

/** Node raises its own limit up to the hard one. */
function openFilesLimit(): number {
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  return hard === undefined || hard === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(hard);
}
