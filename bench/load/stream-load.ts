// Delegates that stay connected, in groups, and the moment at which a change of trust cuts them.
import { Agent, request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { createSecureContext, type TLSSocket } from 'node:tls';
import { obey } from '../process/worker.ts';
import { type Destination, openDelegate } from './push-stream.ts';

export interface StreamGroup {
  readonly group: string;
  readonly destination: Destination;
  /** Client certificates, used in turn; none: plain connections. */
  readonly certificates: readonly { readonly certificatePem: string; readonly privateKeyPem: string }[];
  readonly count: number;
  /** Delegates that are registered already are `<prefix><number>`, from this number on; null: they register. */
  readonly registered: { readonly prefix: string; readonly from: number } | null;
  /** False: the delegates register and stay connected without a push stream. */
  readonly streams: boolean;
}

export interface Change {
  /** Every connection of these groups is expected to be closed by it. */
  readonly groups: readonly string[];
  readonly port: number;
  readonly serverCa: string;
  readonly apiKey: string;
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
  readonly timeoutMs: number;
}

export interface Cut {
  /** From sending the call to its answer. */
  readonly callMs: number;
  /** From the answer to the last close that came in time; negative when all were closed before the answer. */
  readonly afterAnswerMs: number;
  readonly closed: number;
  readonly expected: number;
}

interface Held {
  readonly socket: TLSSocket;
  closedAt: number | null;
}

const CONCURRENCY = 16;
const groups = new Map<string, Held[]>();
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

const commands = {
  /** Resolves when every connection of the group is open and registered. */
  async open({ group, destination, certificates, count, streams, registered }: StreamGroup): Promise<void> {
    const contexts = (certificates.length === 0 ? [null] : certificates).map((pair) =>
      createSecureContext({
        minVersion: 'TLSv1.3',
        ...(pair !== null && { cert: pair.certificatePem, key: pair.privateKeyPem }),
      }),
    );
    const held = groups.get(group) ?? [];
    groups.set(group, held);
    let next = 0;
    const lane = async () => {
      while (next < count) {
        const number = next;
        next += 1;
        const context = contexts[number % contexts.length];
        if (context === undefined) throw new Error('no client certificate');
        const identity =
          registered === null
            ? { name: `${group}-${process.pid}-${number}` }
            : { id: `${registered.prefix}${registered.from + number}` };
        const entry: Held = { socket: await openDelegate(destination, context, identity, streams), closedAt: null };
        entry.socket.once('close', () => {
          entry.closedAt = performance.now();
        });
        if (entry.socket.destroyed) entry.closedAt = performance.now();
        held.push(entry);
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, lane));
  },

  /** How many connections of the group are open, and how many were opened and are not any more. */
  async count(group: string): Promise<{ open: number; closed: number }> {
    const held = groups.get(group) ?? [];
    const closed = held.filter(({ closedAt }) => closedAt !== null).length;
    return { open: held.length - closed, closed };
  },

  /** Ends the group's connections and forgets it. */
  async close(group: string): Promise<void> {
    for (const { socket } of groups.get(group) ?? []) socket.destroy();
    groups.delete(group);
  },

  /** Makes a management call on a kept connection and waits for what it cuts. */
  async change(change: Change): Promise<Cut> {
    const affected = change.groups.flatMap((group) => groups.get(group) ?? []);
    const started = performance.now();
    const answered = await callApi(change);
    while (affected.some(({ closedAt }) => closedAt === null) && performance.now() - answered < change.timeoutMs)
      await sleep(5);
    const times = affected.flatMap(({ closedAt }) => (closedAt === null ? [] : [closedAt]));
    return {
      callMs: answered - started,
      afterAnswerMs: Math.max(...times) - answered,
      closed: times.length,
      expected: affected.length,
    };
  },
};

export type StreamCommands = typeof commands;

/** Resolves with the moment at which the answer, a success, began to arrive. */
function callApi({ port, serverCa, apiKey, method, path, body }: Change): Promise<number> {
  const payload = JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const call = request(
      {
        agent,
        host: '127.0.0.1',
        port,
        servername: 'localhost',
        ca: serverCa,
        method,
        path,
        headers: {
          host: 'localhost',
          'x-api-key': apiKey,
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(payload),
        },
      },
      (response) => {
        const at = performance.now();
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          if (response.statusCode === 200) resolve(at);
          else reject(new Error(`${method} ${path}: ${response.statusCode} ${Buffer.concat(chunks).toString('utf8')}`));
        });
      },
    );
    call.on('error', reject);
    call.end(payload);
  });
}

obey(commands);
