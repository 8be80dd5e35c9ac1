// Writers of the log service on kept mTLS connections, and one who writes a line and waits until a tail shows it.
import { request } from 'node:https';
import { connect, createSecureContext, type SecureContext } from 'node:tls';
import { LOG_QUERY, LOG_SERVICE, LOG_TOKEN_HEADER, logPaths } from '@sallyport/protocol';
import { obey } from '../process/worker.ts';
import { HttpConnection } from './http-connection.ts';

export interface LogDestination {
  readonly port: number;
  readonly serverName: string;
  readonly accountId: string;
  /** Of the log service. */
  readonly token: string;
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

export interface LogWrites {
  readonly destination: LogDestination;
  readonly writers: number;
  /** Of each writer. */
  readonly batches: number;
  readonly linesPerBatch: number;
}

export interface LogLatency {
  readonly destination: LogDestination;
  readonly lines: number;
}

const TIMEOUT_MS = 10_000;
/** As long as lines of a build are on average. */
const TEXT = 'x'.repeat(79);

let streams = 0;

const commands = {
  /** Resolves with the seconds from the first write to the last answer. Every stream is opened before and closed after that. */
  async write({ destination, writers, batches, linesPerBatch }: LogWrites): Promise<number> {
    const context = contextOf(destination);
    const lanes = await Promise.all(Array.from({ length: writers }, () => openStream(destination, context)));
    const started = performance.now();
    await Promise.all(
      lanes.map(async ({ connection, head }) => {
        for (let batch = 0; batch < batches; batch += 1)
          await connection.succeed(head('PUT'), linesFrom(batch * linesPerBatch, linesPerBatch));
      }),
    );
    const seconds = (performance.now() - started) / 1_000;
    for (const { connection, head } of lanes) {
      await connection.succeed(head('DELETE'), '');
      connection.close();
    }
    return seconds;
  },

  /** Resolves with the milliseconds of each line from before it was sent to when the tail had it. */
  async latency({ destination, lines }: LogLatency): Promise<number[]> {
    const { connection, head, path } = await openStream(destination, contextOf(destination));
    let shown: (text: string) => void = () => undefined;
    const tail = await openTail(destination, path, (text) => shown(text));
    const times: number[] = [];
    for (let line = 0; line < lines; line += 1) {
      const mark = `mark-${line}-`;
      const seen = new Promise<number>((resolve, reject) => {
        const late = setTimeout(() => reject(new Error(`no tail had line ${line} after ${TIMEOUT_MS} ms`)), TIMEOUT_MS);
        shown = (text) => {
          if (!text.includes(mark)) return;
          clearTimeout(late);
          resolve(performance.now());
        };
      });
      const sent = performance.now();
      await connection.succeed(head('PUT'), JSON.stringify([{ level: 'info', pos: line, out: `${mark}\n` }]));
      times.push((await seen) - sent);
    }
    tail();
    await connection.succeed(head('DELETE'), '');
    connection.close();
    return times;
  },
};

export type LogCommands = typeof commands;

function linesFrom(first: number, count: number): string {
  const time = '2026-01-02T03:04:05.000000006Z';
  return JSON.stringify(
    Array.from({ length: count }, (_, line) => ({
      level: 'info',
      pos: first + line,
      out: `${TEXT}\n`,
      time,
      args: null,
    })),
  );
}

function contextOf({ certificatePem, privateKeyPem }: LogDestination): SecureContext {
  return createSecureContext({ cert: certificatePem, key: privateKeyPem, minVersion: 'TLSv1.3' });
}

async function openStream({ port, serverName, accountId, token }: LogDestination, secureContext: SecureContext) {
  streams += 1;
  const query = new URLSearchParams({
    [LOG_QUERY.account]: accountId,
    [LOG_QUERY.key]: `bench:${process.pid}/${streams}`,
  });
  const path = `${LOG_SERVICE}${logPaths.stream}?${query}`;
  const socket = connect({ host: '127.0.0.1', port, servername: serverName, secureContext, rejectUnauthorized: false });
  const connection = new HttpConnection(socket);
  const head = (method: string) =>
    `${method} ${path} HTTP/1.1\r\nhost: ${serverName}:${port}\r\n${LOG_TOKEN_HEADER}: ${token}\r\ncontent-type: application/json\r\n`;
  await connection.succeed(head('POST'), '');
  return { connection, head, path };
}

/** Resolves with what ends the tail, once it is open. */
function openTail(destination: LogDestination, path: string, onText: (text: string) => void): Promise<() => void> {
  const { port, serverName, token, certificatePem, privateKeyPem } = destination;
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        ...{ host: '127.0.0.1', port, servername: serverName, path, agent: false, rejectUnauthorized: false },
        ...{ cert: certificatePem, key: privateKeyPem },
        headers: { host: `${serverName}:${port}`, [LOG_TOKEN_HEADER]: token },
      },
      (response) => {
        if (response.statusCode !== 200) return reject(new Error(`the tail was answered ${response.statusCode}`));
        response.on('error', () => response.destroy());
        response.setEncoding('utf8');
        response.on('data', onText);
        response.once('data', () => resolve(() => void asked.destroy()));
      },
    );
    asked.on('error', reject);
    asked.end();
  });
}

obey(commands);
