import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { LOG_WRITER_HEADER, type LogLine } from '@sallyport/protocol';
import { createAuthority, issueServerCertificate } from '@sallyport/trust';

interface Stream {
  readonly lines: LogLine[];
}

/** What happens to the next requests that write: `lose` takes the lines and cuts the connection before the answer. */
export type Trouble = 'lose' | 'drop' | 'refuse' | 'fail' | null;

/** A log service that speaks the wire as existing log writers know it, over HTTPS on loopback, and keeps what it got. */
export class LogServer {
  readonly directory: string;
  readonly caFile: string;
  readonly streams = new Map<string, Stream>();
  readonly blobs = new Map<string, LogLine[]>();
  /** By key and writer: the last position that was taken. */
  readonly #positions = new Map<string, number>();
  /** Of every request: method, key and token. */
  readonly requests: string[] = [];
  readonly authorizations = new Set<string | undefined>();
  readonly bodies: string[] = [];
  trouble: Trouble = null;
  /** Requests wait for this. */
  hold: Promise<void> = Promise.resolve();
  readonly #server: Server;

  private constructor(server: Server, directory: string, caFile: string) {
    this.#server = server;
    this.directory = directory;
    this.caFile = caFile;
    server.on('request', (request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
  }

  static async start(context: TestContext): Promise<LogServer> {
    const authority = await createAuthority({
      subject: { commonName: 'Log CA' },
      keyAlgorithm: 'EC P-256',
      now: new Date(),
    });
    const pair = await issueServerCertificate({ authority, dnsNames: ['localhost'], now: new Date() });
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-log-server-'));
    const caFile = join(directory, 'ca.pem');
    writeFileSync(caFile, authority.certificatePem);
    const server = new LogServer(
      createServer({ cert: pair.certificatePem, key: pair.privateKeyPem }),
      directory,
      caFile,
    );
    await server.listen(0);
    context.after(() => {
      server.goAway();
      rmSync(directory, { recursive: true, force: true });
    });
    return server;
  }

  #port = 0;
  get url(): string {
    return `https://localhost:${this.#port}/log-service/`;
  }

  async listen(port = this.#port): Promise<void> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** As a process that was killed: every connection is cut, nothing listens. `listen()` brings it back with its streams. */
  goAway(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** As the service does with a stream that nobody has written for hours. */
  closeIdle(): void {
    for (const [key, { lines }] of this.streams) this.blobs.set(key, lines);
    this.streams.clear();
  }

  /** The text of a finished stream. */
  textOf(key: string): string | undefined {
    return this.blobs
      .get(key)
      ?.map(({ out }) => out)
      .join('');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', 'https://localhost');
    const key = url.searchParams.get('key') ?? '';
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    this.requests.push(`${request.method} ${key} ${request.headers['x-harness-token']}`);
    this.authorizations.add(request.headers.authorization);
    this.bodies.push(body);
    await this.hold;
    const { trouble } = this;
    if (trouble !== null && trouble !== 'lose') return this.#troubled(trouble, response);
    if (url.pathname !== '/log-service/stream' || !url.searchParams.has('accountID')) return answer(response, 404);
    const writer = String(request.headers[LOG_WRITER_HEADER]);
    const status = this.#change(request.method ?? '', key, body, url.searchParams, writer);
    if (trouble === 'lose' && request.method === 'PUT') {
      this.trouble = null;
      response.destroy();
    } else if (status === 500) answer(response, 500, 'stream: not found');
    else answer(response, status);
  }

  #change(method: string, key: string, body: string, query: URLSearchParams, writer: string): number {
    const stream = this.streams.get(key);
    if (method === 'POST') {
      const goesOn = query.get('continue') === 'true';
      if (stream === undefined || !goesOn) {
        this.streams.set(key, { lines: goesOn ? [...(this.blobs.get(key) ?? [])] : [] });
      }
      return 204;
    }
    if (method === 'PUT') {
      if (stream === undefined) return 200;
      const known = this.#positions.get(`${key} ${writer}`) ?? -1;
      const fresh = (JSON.parse(body) as LogLine[]).filter(({ pos = 0 }) => pos > known);
      stream.lines.push(...fresh);
      this.#positions.set(`${key} ${writer}`, fresh.at(-1)?.pos ?? known);
      return 204;
    }
    if (stream === undefined) return 500;
    if (query.get('snapshot') === 'true') this.blobs.set(key, stream.lines);
    this.streams.delete(key);
    return 204;
  }

  #troubled(trouble: 'drop' | 'refuse' | 'fail', response: ServerResponse): void {
    if (trouble === 'drop') response.destroy();
    else if (trouble === 'fail') answer(response, 500, 'the disk is full');
    else answer(response, 400, 'operation not permitted for accountID: acme');
  }
}

function answer(response: ServerResponse, status: number, text?: string): void {
  response.writeHead(status, text === undefined ? {} : { 'content-type': 'application/json' });
  response.end(text === undefined ? undefined : JSON.stringify({ error_msg: text }));
}
