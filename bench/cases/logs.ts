import { join } from 'node:path';
import type { Case } from '../bench.ts';
import type { LogCommands, LogDestination } from '../load/log-load.ts';
import type { Worker } from '../process/children.ts';
import { cpuSeconds } from '../process/cpu.ts';
import { type Comparison, microseconds } from '../report.ts';
import type { BareAppenderCommands } from '../servers/bare-appender-process.ts';
import { Nginx, proxying } from '../servers/nginx.ts';
import { freePort } from '../servers/programs.ts';
import { Sallyport } from '../servers/sallyport.ts';
import { median, pairedRatio, percentile } from '../statistics.ts';
import { type Contender, inTurns } from '../turns.ts';

const WRITERS = 8;
const LINES_PER_BATCH = 100;

const OURS = 'Sallyport';
const NGINX = 'nginx';

/** Log lines into the service: how many a second, at what CPU, and how soon a tail shows one. */
export const logs: Case = {
  name: 'logs',
  title: 'Log lines: CPU, rate, and from written to tailed',
  async run(bench) {
    const rounds = { warmUp: 5, counted: bench.quick ? 3 : 7 };
    const batches = bench.quick ? 20 : 50;
    const sallyport = await Sallyport.start(bench.children, bench.certificates, join(bench.folder, 'sallyport'));
    const { id, fqdn } = await sallyport.account('acme');
    const load = await bench.children.worker<LogCommands>(new URL('../load/log-load.ts', import.meta.url));
    const { certificatePem, privateKeyPem } = bench.certificates.client;
    const destination = {
      serverName: fqdn,
      accountId: id,
      token: await sallyport.logToken(id),
      certificatePem,
      privateKeyPem,
    };
    const ours = { ...destination, port: sallyport.mtlsPort };
    const rates = new Map<string, number[]>();
    const contenders = [contender(OURS, load, ours, batches, () => sallyport.pids, rates)];
    if (Nginx.version() !== null) {
      const bare = await bench.children.worker<BareAppenderCommands>(
        new URL('../servers/bare-appender-process.ts', import.meta.url),
      );
      const port = await freePort();
      const http = proxying(bench, port, await bare.call('start', join(bench.folder, 'lines')), WRITERS);
      const nginx = await Nginx.start(bench.children, join(bench.folder, 'nginx'), { port, http });
      contenders.push(
        contender(NGINX, load, { ...destination, port }, batches, () => [...nginx.pids, bare.pid], rates),
      );
    }
    const costs = await inTurns(contenders, rounds, bench.say);
    bench.say('from written to tailed');
    const times = await load.call('latency', { destination: ours, lines: bench.quick ? 100 : 1_000 });
    await bench.children.stopAll();
    return [...comparisons(costs, rates), tailed(times)];
  },
};

function comparisons(
  costs: ReadonlyMap<string, readonly number[]>,
  rates: ReadonlyMap<string, readonly number[]>,
): Comparison[] {
  const [ours, theirs] = [costs.get(OURS) ?? [], costs.get(NGINX)];
  const peer = `${Nginx.version() ?? NGINX} + bare Node appending to a file`;
  const rate = (name: string) => median(rates.get(name) ?? []);
  const perSecond = (value: number) => `${Math.round(value).toLocaleString('en')} /s`;
  return [
    {
      measure: '1,000 log lines in batches of 100, CPU',
      ours: microseconds(median(ours)),
      peer,
      theirs: theirs === undefined ? 'not installed' : microseconds(median(theirs)),
      ratio: theirs === undefined ? null : pairedRatio(ours, theirs),
      goal: null,
    },
    {
      measure: `log lines a second, ${WRITERS} writers`,
      ours: perSecond(rate(OURS)),
      peer,
      theirs: theirs === undefined ? 'not installed' : perSecond(rate(NGINX)),
      ratio: theirs === undefined ? null : rate(OURS) / rate(NGINX),
      goal: null,
    },
  ];
}

function tailed(times: readonly number[]): Comparison {
  const [p50, p99] = [percentile(times, 50), percentile(times, 99)];
  return {
    measure: 'log line written to line tailed, p50 / p99',
    ours: `${p50.toFixed(1)} / ${p99.toFixed(1)} ms`,
    peer: '',
    theirs: '',
    ratio: null,
    goal: null,
  };
}

function contender(
  name: string,
  load: Worker<LogCommands>,
  destination: LogDestination,
  batches: number,
  pids: () => readonly number[],
  rates: Map<string, number[]>,
): Contender {
  const lines = WRITERS * batches * LINES_PER_BATCH;
  return {
    name,
    async once() {
      const before = cpuSeconds(pids());
      const seconds = await load.call('write', {
        destination,
        writers: WRITERS,
        batches,
        linesPerBatch: LINES_PER_BATCH,
      });
      rates.set(name, [...(rates.get(name) ?? []), lines / seconds]);
      return ((cpuSeconds(pids()) - before) / lines) * 1_000;
    },
  };
}
