import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Children, ServerProcess } from '../process/children.ts';
import { findProgram, listening, versionText } from './programs.ts';

export interface HAProxyOptions {
  /** Everything after `global` and `defaults`. */
  readonly sections: string;
  readonly port: number;
  readonly startTimeoutMs?: number;
}

/** HAProxy with one thread, as one Sallyport process has one, and its runtime API on a socket. */
export class HAProxy {
  readonly process: ServerProcess;
  readonly port: number;
  readonly #socket: string;

  private constructor(process: ServerProcess, port: number, socket: string) {
    this.process = process;
    this.port = port;
    this.#socket = socket;
  }

  /** Null when HAProxy is not installed. */
  static version(): string | null {
    const program = findProgram('haproxy');
    if (program === null) return null;
    const text = versionText(program, '-vv');
    const [, version] = /HAProxy version ([\d.]+)/.exec(text) ?? [];
    const [, openssl] = /Running on OpenSSL version : OpenSSL ([\d.]+)/.exec(text) ?? [];
    return `HAProxy ${version} (OpenSSL ${openssl})`;
  }

  static async start(children: Children, folder: string, options: HAProxyOptions): Promise<HAProxy> {
    const program = findProgram('haproxy');
    if (program === null) throw new Error('HAProxy is not installed');
    mkdirSync(folder, { recursive: true });
    const socket = join(folder, 'admin.sock');
    const configFile = join(folder, 'haproxy.cfg');
    writeFileSync(
      configFile,
      `
global
  nbthread 1
  maxconn 8000
  stats socket ${socket} level admin
  ssl-default-bind-options ssl-min-ver TLSv1.3
defaults
  mode http
  timeout connect 10s
  timeout client 10m
  timeout server 10m
  timeout tunnel 10m
${options.sections}
`,
    );
    const server = await children.spawn(program, ['-db', '-f', configFile]);
    await listening(server, options.port, options.startTimeoutMs ?? 10_000);
    return new HAProxy(server, options.port, socket);
  }

  get pids(): readonly number[] {
    return [this.process.pid];
  }

  /** One command of the runtime API; resolves with all of its answer. */
  command(text: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.#socket);
      const chunks: Buffer[] = [];
      socket.on('error', reject);
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      socket.on('close', () => resolve(Buffer.concat(chunks).toString('utf8')));
      socket.end(`${text}\n`);
    });
  }

  stop(): Promise<void> {
    return this.process.stop();
  }
}
