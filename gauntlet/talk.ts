import type { TLSSocket } from 'node:tls';
import { type RawTlsOptions, rawTls } from '@sallyport/dev-env';
import type { Certificate } from './certificate.ts';
import type { Arena, Demand, Target } from './gauntlet.ts';

/** Nothing came for this long after the last byte: the server has said what it has to say. */
const IDLE_MS = 400;
/** Generous, for a machine that is busy with other things: a target that is merely slow holds. */
const HANDSHAKE_MS = 15_000;
const ANSWER_MS = 6_000;

export type Version = 'TLSv1.2' | 'TLSv1.3';

/** What came back of one connection. */
export interface Answer {
  readonly text: string;
  readonly resumed: boolean;
  /** Sessions that the server gave, newest last. */
  readonly sessions: readonly Buffer[];
  /** In a few words, for the report. */
  readonly seen: string;
}

export interface Knock extends Partial<RawTlsOptions> {
  /** The tenant whose door is asked for: sets SNI, Host and the demand where they are not given. */
  readonly tenant: string;
  readonly host?: string | null;
  /** Lines put in before the demand's own. */
  readonly headers?: readonly string[];
  /** The bytes to send, instead of the tenant's demand. */
  readonly bytes?: string;
}

/** One connection, one demand, everything that came back. Never rejects: a refused handshake is an answer too. */
export async function knock(target: Target, options: Knock): Promise<Answer> {
  const { tenant, host, headers, bytes, ...tls } = options;
  const name = target.nameOf(tenant);
  const text =
    bytes ?? compose(await target.demand(tenant), { host: host === undefined ? name : host, headers: headers ?? [] });
  return exchange(target, { port: target.port, serverName: name, ...tls }, text);
}

export async function exchange(target: Target, tls: RawTlsOptions, bytes: string): Promise<Answer> {
  const sessions: Buffer[] = [];
  let socket: TLSSocket;
  try {
    socket = await within(rawTls({ ...tls, onSession: (session) => sessions.push(session) }));
  } catch (error) {
    return { text: '', resumed: false, sessions, seen: `handshake refused (${codeOf(error)})` };
  }
  const resumed = socket.isSessionReused();
  const early = socket.getSession();
  const text = await hear(socket, bytes);
  const all = early === undefined ? sessions : [early, ...sessions];
  socket.destroy();
  return { text, resumed, sessions: all, seen: summary(text, target) + (resumed ? ', session resumed' : '') };
}

/** Sends the bytes and resolves with what comes back until the connection ends or falls silent. Leaves it open. */
export function hear(socket: TLSSocket, bytes: string, idleMs = IDLE_MS): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const end = () => {
      clearTimeout(idle);
      clearTimeout(limit);
      socket.off('data', onData);
      socket.off('close', end);
      resolve(Buffer.concat(chunks).toString('latin1'));
    };
    const onData = (chunk: Buffer) => {
      chunks.push(chunk);
      clearTimeout(idle);
      idle = setTimeout(end, idleMs);
    };
    let idle: NodeJS.Timeout | undefined;
    const limit = setTimeout(end, ANSWER_MS);
    socket.on('data', onData);
    socket.once('close', end);
    if (socket.destroyed) end();
    else socket.write(Buffer.from(bytes, 'latin1'));
  });
}

export interface Composition {
  readonly host: string | null;
  readonly headers?: readonly string[];
  /** The request target, when it is not the demand's path. */
  readonly target?: string;
  readonly version?: string;
  readonly close?: boolean;
}

/** The bytes of a request. A host of null leaves the header out. */
export function compose(demand: Demand, options: Composition): string {
  const { host, headers = [], target = demand.path, version = 'HTTP/1.1', close = true } = options;
  const lines = [
    `${demand.method} ${target} ${version}`,
    ...(host === null ? [] : [`Host: ${host}`]),
    ...headers,
    ...demand.headers,
    ...(demand.body === '' ? [] : [`Content-Length: ${Buffer.byteLength(demand.body)}`]),
    ...(close ? ['Connection: close'] : []),
  ];
  return `${lines.join('\r\n')}\r\n\r\n${demand.body}`;
}

/** The tenants of the list that these bytes show an admitted answer of. */
export function admittedOf(arena: Arena, text: string, ...tenants: readonly string[]): string[] {
  return tenants.filter((tenant) => arena.target.admits(text, tenant));
}

/** Certificate of the tenant, or none, as an option. */
export const withCertificate = (certificate: Certificate | null): { certificate?: Certificate } =>
  certificate === null ? {} : { certificate };

function summary(text: string, target: Target): string {
  if (text === '') return 'closed without an answer';
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1] ?? 'no HTTP';
  const code = target.key === 'sallyport' ? /"code":"([A-Z_]+)"/.exec(text)?.[1] : undefined;
  return code === undefined ? status : `${status} ${code}`;
}

function codeOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return (code ?? message ?? 'unknown').replace(/^ERR_SSL_/, '');
}

async function within<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('no end of the handshake')), HANDSHAKE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
