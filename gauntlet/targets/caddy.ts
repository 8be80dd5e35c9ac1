import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import type { Children, ServerProcess } from '../../bench/process/children.ts';
import { findProgram, freePort, listening, versionText } from '../../bench/servers/programs.ts';
import { readPemBlocks } from '../../packages/trust/src/pem.ts';
import { Backend, IDENTITY_HEADERS } from './backend.ts';
import { ProxyTarget, type Served } from './proxy-target.ts';
import type { ServerIdentity } from './server-identity.ts';

/**
 * Caddy: a TLS connection policy a tenant with `require_and_verify`, loaded whole through the admin API. Host and SNI are
 * compared by default once client certificates are asked for.
 */
export class CaddyTarget extends ProxyTarget {
  readonly key = 'caddy';
  readonly version: string;
  readonly #adminPort: number;
  #process: ServerProcess | null = null;

  private constructor(
    version: string,
    ports: { tenants: number; admin: number },
    folder: string,
    backend: Backend,
    server: ServerIdentity,
  ) {
    super(ports.tenants, folder, backend, server);
    this.#adminPort = ports.admin;
    this.version = `Caddy ${version}`;
  }

  static async start(children: Children, server: ServerIdentity, folder: string): Promise<CaddyTarget | null> {
    const program = findProgram('caddy');
    if (program === null) return null;
    const version = /v?(\d+\.\d+\.\d+)/.exec(versionText(program, 'version'))?.[1] ?? '';
    const ports = { tenants: await freePort(), admin: await freePort() };
    const target = new CaddyTarget(version, ports, folder, await Backend.start(), server);
    const file = join(folder, 'caddy.json');
    writeFileSync(file, JSON.stringify(target.#configuration(target.served())));
    const roots = join(folder, 'system-roots.pem');
    writeFileSync(roots, server.systemRoot.pem);
    const env = { SSL_CERT_FILE: roots, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
    target.#process = await children.spawn(program, ['run', '--config', file], { env });
    await listening(target.#process, target.port, 15_000);
    return target;
  }

  protected load(served: Served): Promise<void> {
    const payload = JSON.stringify(this.#configuration(served));
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          host: '127.0.0.1',
          port: this.#adminPort,
          method: 'POST',
          path: '/load',
          headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) },
          agent: false,
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('error', reject);
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () => {
            if (response.statusCode === 200) resolve();
            else reject(new Error(Buffer.concat(chunks).toString('utf8').slice(0, 200).trim()));
          });
        },
      );
      sent.on('error', reject);
      sent.end(payload);
    });
  }

  protected replace(): Promise<void> {
    return this.reload();
  }

  override async stop(): Promise<void> {
    await this.#process?.stop();
    await super.stop();
  }

  #configuration(served: Served): unknown {
    const { port, backendPort, tenants, serverFile, serverKeyFile, revision } = served;
    const upstreams = [{ dial: `127.0.0.1:${backendPort}` }];
    const route = (name: string, headers: unknown) => ({
      match: [{ host: [`${name}.agent.localhost`] }],
      handle: [
        { handler: 'headers', response: { set: { 'X-Config': [String(revision)] }, deferred: true } },
        { handler: 'reverse_proxy', upstreams, headers: { request: headers } },
      ],
      terminal: true,
    });
    const names = [...tenants.keys()];
    return {
      admin: { listen: `127.0.0.1:${this.#adminPort}` },
      logging: { logs: { default: { level: 'ERROR' } } },
      apps: {
        tls: { certificates: { load_files: [{ certificate: serverFile, key: serverKeyFile }] } },
        http: {
          servers: {
            tenants: {
              listen: [`127.0.0.1:${port}`],
              protocols: ['h1'],
              automatic_https: { disable: true },
              routes: [
                route('plain', { delete: [...IDENTITY_HEADERS] }),
                ...names.map((tenant) =>
                  route(tenant, {
                    set: {
                      'X-Tenant': [tenant],
                      'X-Client-Verify': ['SUCCESS'],
                      'X-Client-Subject': ['{http.request.tls.client.subject}'],
                    },
                  }),
                ),
                { handle: [{ handler: 'static_response', status_code: '404', close: true }] },
              ],
              tls_connection_policies: [
                ...[...tenants].map(([tenant, file]) => ({
                  match: { sni: [`${tenant}.agent.localhost`] },
                  client_authentication: { mode: 'require_and_verify', ...authorities(file) },
                })),
                { match: { sni: ['plain.agent.localhost'] } },
              ],
            },
          },
        },
      },
    };
  }
}

/** The certificates inside the configuration; text that is none goes by its file, as an operator would write it. */
function authorities(file: string | null): Record<string, string[]> {
  if (file === null) return {};
  const certificates = certificatesIn(readFileSync(file, 'utf8'));
  return certificates === null ? { trusted_ca_certs_pem_files: [file] } : { trusted_ca_certs: certificates };
}

function certificatesIn(text: string): string[] | null {
  try {
    const blocks = readPemBlocks(text).flatMap(({ der }) => (der == null ? [] : [Buffer.from(der).toString('base64')]));
    return blocks.length === 0 ? null : blocks;
  } catch {
    // Not PEM: that is what the case is about.
    return null;
  }
}
