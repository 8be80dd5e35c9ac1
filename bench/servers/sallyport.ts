import { request } from 'node:https';
import { normaliseDelegateToken } from '@sallyport/protocol';
import { serverEnvironment, serverOptions } from '../../apps/cli/src/config/runtime.mjs';
import type { Certificates } from '../certificates.ts';
import type { Children, Worker } from '../process/children.ts';
import type { ManagerCommands } from './manager-process.ts';

/** Any JSON, walked into by the names that are expected. */
interface Json {
  readonly [name: string]: Json;
}

const NOT_HELD_BACK = '1000000';

export interface BenchAccount {
  readonly id: string;
  /** The default delegate token's secret, 32 hex characters. */
  readonly token: string;
  readonly fqdn: string;
}

/** A Sallyport manager as a child process, with its default settings and the bench's server certificate. */
export class Sallyport {
  readonly worker: Worker<ManagerCommands>;
  readonly #certificates: Certificates;
  readonly #environment: Record<string, string>;
  publicPort = 0;
  mtlsPort = 0;
  #operatorKey = '';

  private constructor(
    worker: Worker<ManagerCommands>,
    certificates: Certificates,
    environment: Record<string, string>,
  ) {
    this.worker = worker;
    this.#certificates = certificates;
    this.#environment = environment;
  }

  static async start(
    children: Children,
    certificates: Certificates,
    dataDirectory: string,
    moreNodeOptions: readonly string[] = [],
  ): Promise<Sallyport> {
    // As the command starts it.
    const worker = await children.worker<ManagerCommands>(new URL('manager-process.ts', import.meta.url), {
      nodeOptions: [...serverOptions(), ...moreNodeOptions],
      environment: serverEnvironment(),
    });
    const sallyport = new Sallyport(worker, certificates, {
      SALLYPORT_DATA_DIR: dataDirectory,
      SALLYPORT_PUBLIC_LISTEN: '127.0.0.1:0',
      SALLYPORT_MTLS_LISTEN: '127.0.0.1:0',
      SALLYPORT_TLS_CERTIFICATE_FILE: certificates.files.serverCertificate,
      SALLYPORT_TLS_KEY_FILE: certificates.files.serverKey,
      // All clients of the bench come from one address, faster than any fleet: counted as ever, but not held back.
      SALLYPORT_LIMIT_SOURCE_HANDSHAKES_PER_SECOND: NOT_HELD_BACK,
      SALLYPORT_LIMIT_SOURCE_REQUESTS_PER_SECOND: NOT_HELD_BACK,
      SALLYPORT_LIMIT_ACCOUNT_REQUESTS_PER_SECOND: NOT_HELD_BACK,
    });
    await sallyport.#open();
    return sallyport;
  }

  get pids(): readonly number[] {
    return [this.worker.pid];
  }

  /** Stops the manager, lets `work` have its data folder, and starts it again in the same process, on other ports. */
  async whileStopped(work: () => void): Promise<void> {
    await this.worker.call('stop', undefined);
    work();
    await this.#open();
  }

  /** One API call by the operator, on a connection of its own. Resolves with `resource`; rejects unless it succeeded. */
  async api(method: string, path: string, body?: unknown): Promise<Json> {
    return (JSON.parse(await this.#text(method, path, body)) as Json)['resource'] as Json;
  }

  #text(method: string, path: string, body?: unknown): Promise<string> {
    const payload = body === undefined ? '' : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          host: '127.0.0.1',
          port: this.publicPort,
          servername: 'localhost',
          method,
          path,
          headers: {
            host: 'localhost',
            'x-api-key': this.#operatorKey,
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(payload),
          },
          ca: this.#certificates.serverCa,
          agent: false,
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('error', reject);
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString('utf8');
            if ((response.statusCode ?? 500) >= 300)
              return reject(new Error(`${method} ${path}: ${response.statusCode} ${text}`));
            resolve(text);
          });
        },
      );
      sent.on('error', reject);
      sent.end(payload);
    });
  }

  /** What a client needs to make management calls itself. */
  get operatorKey(): string {
    return this.#operatorKey;
  }

  /** A token for all of the account's logs. */
  async logToken(id: string): Promise<string> {
    return this.#text('GET', `/log-service/token?accountID=${id}`);
  }

  /** An account with an mTLS endpoint in LOOSE that trusts the bench's client CA. */
  async account(id: string): Promise<BenchAccount> {
    await this.api('POST', '/ng/api/accounts', { identifier: id });
    await this.api('PATCH', `/ng/api/accounts/${id}`, { mtlsEnabled: true });
    const endpoint = await this.api('POST', `/ng/api/agent/mtls/endpoint?accountIdentifier=${id}`, {
      domainPrefix: id,
      mode: 'LOOSE',
      caCertificates: this.#certificates.authority.certificatePem,
    });
    const tokens = await this.api('GET', `/ng/api/delegate-token-ng?accountIdentifier=${id}`);
    const token = normaliseDelegateToken(String(tokens[0]?.['value']));
    if (token === null) throw new Error(`account ${id} has no default token`);
    return { id, token, fqdn: String(endpoint['fqdn']) };
  }

  stop(): Promise<void> {
    return this.worker.stop();
  }

  async #open(): Promise<void> {
    const { publicPort, mtlsPort, operatorKey } = await this.worker.call('start', this.#environment);
    this.publicPort = publicPort;
    this.mtlsPort = mtlsPort;
    this.#operatorKey = operatorKey ?? this.#operatorKey;
  }
}
