import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { MAX_LOG_KEPT_BYTES } from '@sallyport/protocol';
import { LocalBus } from '../src/bus/local-bus.ts';
import { prepareLogTables } from '../src/database/log-database.ts';
import type { Database } from '../src/database/open-database.ts';
import { createLogger } from '../src/http/logger.ts';
import { BlobStorage } from '../src/logs/blob-storage.ts';
import { BlobStore } from '../src/logs/blob-store.ts';
import { LineStore, type StreamBounds } from '../src/logs/line-store.ts';
import { LineWriter } from '../src/logs/line-writer.ts';
import { LiveStreams } from '../src/logs/live-streams.ts';
import { LogArchiver } from '../src/logs/log-archiver.ts';
import type { LogCaller } from '../src/logs/log-authentication.ts';
import { logKeyOf } from '../src/logs/log-key.ts';
import { readLines } from '../src/logs/log-lines.ts';
import { LogService } from '../src/logs/log-service.ts';
import { StreamStore } from '../src/logs/stream-store.ts';
import { TAIL_TIMINGS, type TailTimings } from '../src/logs/tail.ts';
import { type TailStart, Tails } from '../src/logs/tails.ts';

export const key = logKeyOf('run:1');
export const owner = 'acme@1';
const caller: LogCaller = { accountId: 'acme', accountCreatedAt: 1, owner, under: '', grant: null, principal: null };

export interface TailRigOptions {
  /** Of a stream in memory. */
  readonly bounds?: StreamBounds;
  /** Of a stream in the store. */
  readonly maxBytes?: number;
  readonly timings?: Partial<TailTimings>;
}

export interface RigTail {
  readonly response: IncomingMessage;
  text(): string;
  last(): number;
}

/** Tails over real sockets, on the real store; `replicated`, so that nothing is taken for granted. A stream is open. */
export async function tailRig(t: TestContext, { database, dialect }: Database, options: TailRigOptions = {}) {
  if (dialect === 'sqlite') await prepareLogTables(database);
  const { bounds = { lines: 5_000, bytes: 5_242_880 }, maxBytes = MAX_LOG_KEPT_BYTES } = options;
  const logger = createLogger('silent');
  const bus = new LocalBus(database, logger);
  const streams = new StreamStore(database);
  const store = new LineStore(database, maxBytes);
  const live = new LiveStreams({ streams, lines: store, bounds, bus, logger, replicated: true });
  const clock = { at: Date.now(), now: () => new Date(clock.at) };
  const writer = new LineWriter(store, clock, (appended) => live.written(appended));
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-tails-'));
  const storage = await BlobStorage.open({ folder, s3: null, credentials: null });
  const blobs = new BlobStore(database);
  const onEnded = (streamId: string) => live.ended(streamId);
  const archiver = new LogArchiver({ streams, lines: store, blobs, storage, clock, logger, onEnded });
  const logs = new LogService({ streams, writer, live, archiver, blobs, storage, clock });
  const timings = { ...TAIL_TIMINGS, ...options.timings };
  const tails = new Tails({ streams, live, blobs, storage, bus, logger, timings });
  let allowed = true;
  const recheck = async () => {
    if (!allowed) throw new Error('not any more');
  };
  const server = createServer((request, response) => {
    const from = new URL(request.url ?? '/', 'http://x').searchParams.get('from');
    tails
      .open(response, caller, key, startOf(from), recheck, () => undefined)
      .catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  t.after(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    tails.stop();
    await archiver.stop();
    await live.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  await streams.open(owner, key, clock.at);
  const write = async (...texts: string[]) => {
    const lines = await readLines(Buffer.from(JSON.stringify(texts.map((out) => ({ out })))));
    if (!(await writer.write(owner, key, lines))) throw new Error('the stream is not open');
  };
  const tail = (query = '') =>
    new Promise<RigTail>((resolve, reject) => {
      get({ port, path: `/?${query}`, agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        let carry = '';
        let last = 0;
        response.on('data', (chunk: string) => {
          text += chunk;
          const fresh = carry + chunk;
          last = idsOf(fresh.slice(fresh.lastIndexOf('\nid: '))).at(-1) ?? last;
          carry = fresh.slice(-30);
        });
        response.on('error', () => undefined);
        resolve({ response, text: () => text, last: () => last });
      }).on('error', reject);
    });
  /** As a client does: with a snapshot. */
  const close = () => logs.close(caller, key, true);
  const refuse = () => {
    allowed = false;
  };
  return { streams, store, live, bus, tails, logs, archiver, blobs, clock, caller, write, tail, close, refuse };
}

function startOf(from: string | null): TailStart {
  if (from === null) return { from: 'newest', lingering: false };
  return { from: from === 'end' || from === 'start' ? from : Number(from), lingering: true };
}

export const idsOf = (text: string): number[] => [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
export const upTo = (count: number, from = 1): number[] => Array.from({ length: count }, (_, index) => from + index);
