import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { Children, ServerProcess } from '../../bench/process/children.ts';
import { Nginx } from '../../bench/servers/nginx.ts';
import { findProgram, freePort, listening } from '../../bench/servers/programs.ts';
import type { Ability } from '../gauntlet.ts';
import { Backend } from './backend.ts';
import { ProxyTarget, type Served } from './proxy-target.ts';
import type { ServerIdentity } from './server-identity.ts';

/**
 * nginx: a server block a tenant with `ssl_verify_client on`, unknown names refused in the handshake
 * (`ssl_reject_handshake`), every identity header set or cleared. Tickets as the version has them by default.
 */
export class NginxTarget extends ProxyTarget {
  readonly key = 'nginx';
  override readonly abilities: ReadonlySet<Ability> = new Set<Ability>(['revocation lists']);
  readonly version: string;
  readonly #program: string;
  #process: ServerProcess | null = null;

  private constructor(program: string, port: number, folder: string, backend: Backend, server: ServerIdentity) {
    super(port, folder, backend, server);
    this.#program = program;
    this.version = Nginx.version() ?? 'nginx';
  }

  static async start(children: Children, server: ServerIdentity, folder: string): Promise<NginxTarget | null> {
    const program = findProgram('nginx');
    if (program === null) return null;
    const target = new NginxTarget(program, await freePort(), folder, await Backend.start(), server);
    writeFileSync(target.#file(), configuration(target.served()));
    target.#process = await children.spawn(program, target.#arguments());
    await listening(target.#process, target.port, 10_000);
    return target;
  }

  protected async load(served: Served): Promise<void> {
    writeFileSync(this.#file(), configuration(served));
    const check = spawnSync(this.#program, [...this.#arguments(), '-t'], { encoding: 'utf8' });
    if (check.status !== 0) throw new Error(reasonOf(check.stderr));
    this.#process?.signal('SIGHUP');
  }

  protected replace(): Promise<void> {
    return this.reload();
  }

  override async stop(): Promise<void> {
    await this.#process?.stop();
    await super.stop();
  }

  #file(): string {
    return join(this.folder, 'nginx.conf');
  }

  #arguments(): string[] {
    return ['-p', this.folder, '-c', this.#file(), '-e', join(this.folder, 'error.log')];
  }
}

const reasonOf = (text: string): string => /\[emerg\] (?:\d+#\d+: )?(.*)/.exec(text)?.[1] ?? text.trim();

function configuration(served: Served): string {
  const { folder, port, backendPort, serverFile, serverKeyFile, tenants, lists, revision } = served;
  const proxy = `
      proxy_pass http://127.0.0.1:${backendPort};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_of_backend;
      proxy_set_header Host $host;`;
  const listen = `listen 127.0.0.1:${port} ssl`;
  const server = `ssl_certificate ${serverFile}; ssl_certificate_key ${serverKeyFile};`;
  const blocks = [...tenants].map(
    ([tenant, file]) => `
  server {
    ${listen}; server_name ${tenant}.agent.localhost; ${server}
    ${file === null ? '' : `ssl_client_certificate ${file};`}
    ${lists.has(tenant) ? `ssl_crl ${lists.get(tenant)};` : ''}
    ssl_verify_client on; ssl_verify_depth 10;
    location / {${proxy}
      proxy_set_header X-Tenant ${tenant};
      proxy_set_header X-Client-Verify $ssl_client_verify;
      proxy_set_header X-Client-Subject $ssl_client_s_dn;
    }
  }`,
  );
  return `
daemon off;
${userInfo().uid === 0 ? 'user root;' : ''}
pid ${join(folder, 'nginx.pid')};
worker_processes 1;
events { worker_connections 1024; }
http {
  access_log off;
  server_tokens off;
  ssl_protocols TLSv1.2 TLSv1.3;
  server_names_hash_bucket_size 128;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${join(folder, kind)};`).join(' ')}
  map $http_upgrade $connection_of_backend { default upgrade; '' close; }
  server { ${listen} default_server; ssl_reject_handshake on; }
  server {
    ${listen}; server_name plain.agent.localhost; ${server}
    add_header X-Config ${revision} always;
    location / {${proxy}
      proxy_set_header X-Tenant "";
      proxy_set_header X-Client-Verify "";
      proxy_set_header X-Client-Subject "";
    }
  }${blocks.join('')}
}
`;
}
