import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { type Clock, createLogger, type RunningManager, readConfig, startManager } from '@sallyport/manager';
import { normaliseDelegateToken } from '@sallyport/protocol';

export interface DevAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Parsed JSON, or the text. */
  readonly body: DevBody;
}

/** Any JSON, to be walked into by the names that a test expects; what is not there reads as undefined and fails there. */
export interface DevBody {
  readonly [name: string]: DevBody;
}

export interface DevAccount {
  readonly id: string;
  readonly adminKey: string;
  readonly viewerKey: string;
  /** The default delegate token's secret, 32 hex characters. */
  readonly token: string;
}

export interface DevManagerOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** A folder to start on again; it is then the caller's to remove. */
  readonly dataDirectory?: string;
  /** PEM of the CA behind the server certificate, when the environment names files instead of a development one. */
  readonly serverCa?: string;
  /** The machine's when not given. */
  readonly clock?: Clock;
}

/** A whole manager in this process, on free loopback ports, and short ways to use it. */
export class DevManager {
  readonly manager: RunningManager;
  readonly dataDirectory: string;
  /** PEM of the CA that the server certificate is to be verified with. */
  readonly serverCa: string;
  operatorKey: string;
  readonly #lines: string[];
  readonly #ownsFolder: boolean;
  readonly #kept = new Agent({ keepAlive: true });

  private constructor(manager: RunningManager, options: DevManagerOptions, dataDirectory: string, lines: string[]) {
    this.manager = manager;
    this.dataDirectory = dataDirectory;
    this.serverCa =
      options.serverCa ?? (manager.developmentCaFile === null ? '' : readFileSync(manager.developmentCaFile, 'utf8'));
    this.operatorKey = manager.firstOperatorKey ?? '';
    this.#lines = lines;
    this.#ownsFolder = options.dataDirectory === undefined;
  }

  static async start(options: DevManagerOptions = {}): Promise<DevManager> {
    const dataDirectory = options.dataDirectory ?? mkdtempSync(join(tmpdir(), 'sallyport-dev-'));
    const { config, secrets } = readConfig({
      SALLYPORT_DATA_DIR: dataDirectory,
      SALLYPORT_PUBLIC_LISTEN: '127.0.0.1:0',
      SALLYPORT_MTLS_LISTEN: '127.0.0.1:0',
      ...options.environment,
    });
    const lines: string[] = [];
    const sink = new Writable({
      write(chunk, _encoding, done) {
        lines.push(String(chunk));
        done();
      },
    });
    const manager = await startManager(config, secrets, createLogger('trace', sink), options.clock);
    return new DevManager(manager, options, dataDirectory, lines);
  }

  get publicUrl(): string {
    return `https://localhost:${this.manager.publicAddress.port}`;
  }

  mtlsUrl(prefix: string): string {
    return `https://${prefix}.${this.manager.agentDomain}:${this.manager.mtlsAddress.port}`;
  }

  /** Everything logged so far, at level trace. */
  log(): string {
    return this.#lines.join('');
  }

  /** One API request. The connection is kept for later ones: a handshake costs more than most of them. */
  api(method: string, path: string, body?: unknown, key: string | null = this.operatorKey): Promise<DevAnswer> {
    return this.request(`${this.publicUrl}${path}`, {
      method,
      headers: key === null ? {} : { 'x-api-key': key },
      agent: this.#kept,
      ...(body !== undefined && { body }),
    });
  }

  /** As `api`; rejects, with the body, unless the answer is a success. Resolves with `resource`. */
  async must(method: string, path: string, body?: unknown, key?: string): Promise<DevBody> {
    const answer = await this.api(method, path, body, key ?? this.operatorKey);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body['resource'] as DevBody;
  }

  /** One HTTPS request, on a connection of its own unless an agent keeps one; every *.localhost name is loopback. */
  request(url: string, options: DevRequest = {}): Promise<DevAnswer> {
    const { hostname, port, pathname, search } = new URL(url);
    const payload =
      options.body === undefined
        ? undefined
        : typeof options.body === 'string'
          ? options.body
          : JSON.stringify(options.body);
    return new Promise((resolve, reject) => {
      const request = httpsRequest(
        {
          host: '127.0.0.1',
          port,
          servername: options.serverName ?? hostname,
          path: pathname + search,
          method: options.method ?? 'GET',
          headers: {
            host: hostname,
            ...(payload !== undefined && {
              'content-type': 'application/json',
              'content-length': Buffer.byteLength(payload),
            }),
            ...options.headers,
          },
          ca: this.serverCa,
          agent: options.agent ?? false,
          ...(options.certificate !== undefined && {
            cert: options.certificate.certificatePem,
            key: options.certificate.privateKeyPem,
          }),
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString('utf8');
            const isJson = response.headers['content-type']?.includes('json') ?? false;
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              body: (isJson && text !== '' ? JSON.parse(text) : text) as DevBody,
            });
          });
        },
      );
      request.on('error', reject);
      request.end(payload);
    });
  }

  /** An account with its keys and default token; with `endpoint`, mTLS is enabled and the endpoint created. */
  async account(
    id: string,
    endpoint?: { caCertificates: string; mode: 'LOOSE' | 'STRICT'; domainPrefix?: string },
  ): Promise<DevAccount> {
    await this.must('POST', '/ng/api/accounts', { identifier: id });
    const key = async (role: string) =>
      String((await this.must('POST', `/ng/api/api-keys?accountIdentifier=${id}`, { name: role, role }))['key']);
    const tokens = await this.must('GET', `/ng/api/delegate-token-ng?accountIdentifier=${id}`);
    const token = normaliseDelegateToken(String(tokens[0]?.['value']));
    if (token === null) throw new Error(`account ${id} has no default token`);
    if (endpoint !== undefined) {
      await this.must('PATCH', `/ng/api/accounts/${id}`, { mtlsEnabled: true });
      await this.must('POST', `/ng/api/agent/mtls/endpoint?accountIdentifier=${id}`, { domainPrefix: id, ...endpoint });
    }
    return { id, adminKey: await key('ACCOUNT_ADMIN'), viewerKey: await key('ACCOUNT_VIEWER'), token };
  }

  setMode(accountId: string, mode: 'LOOSE' | 'STRICT'): Promise<DevBody> {
    return this.must('PATCH', `/ng/api/agent/mtls/endpoint?accountIdentifier=${accountId}`, { mode });
  }

  async stop(): Promise<void> {
    this.#kept.destroy();
    await this.manager.stop();
    if (this.#ownsFolder) rmSync(this.dataDirectory, { recursive: true, force: true });
  }
}

export interface DevRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A text is sent as it is, anything else as JSON. */
  readonly body?: unknown;
  readonly certificate?: { readonly certificatePem: string; readonly privateKeyPem: string };
  /** Keeps connections; each request has its own when not given. */
  readonly agent?: Agent;
  /** SNI, when it is to differ from the URL's host. */
  readonly serverName?: string;
}
