import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Children, ServerProcess } from '../../bench/process/children.ts';
import { HAProxy } from '../../bench/servers/haproxy.ts';
import { findProgram, freePort, listening } from '../../bench/servers/programs.ts';
import type { Ability } from '../gauntlet.ts';
import { Backend } from './backend.ts';
import { ProxyTarget, type Served } from './proxy-target.ts';
import type { ServerIdentity } from './server-identity.ts';

/**
 * HAProxy: a crt-list with a CA and `verify required` a tenant, `strict-sni`, a request for another host than the SNI
 * refused with 421, every identity header set or deleted. A CA is replaced through the runtime API, the list by reload.
 */
export class HAProxyTarget extends ProxyTarget {
  readonly key = 'haproxy';
  override readonly abilities: ReadonlySet<Ability> = new Set<Ability>(['revocation lists']);
  readonly version: string;
  readonly #program: string;
  #process: ServerProcess | null = null;

  private constructor(program: string, port: number, folder: string, backend: Backend, server: ServerIdentity) {
    super(port, folder, backend, server);
    this.#program = program;
    this.version = HAProxy.version() ?? 'HAProxy';
  }

  static async start(children: Children, server: ServerIdentity, folder: string): Promise<HAProxyTarget | null> {
    const program = findProgram('haproxy');
    if (program === null) return null;
    const target = new HAProxyTarget(program, await freePort(), folder, await Backend.start(), server);
    target.#write(target.served());
    target.#process = await children.spawn(program, ['-W', '-db', '-f', target.#file()]);
    await listening(target.#process, target.port, 10_000);
    return target;
  }

  protected async load(served: Served): Promise<void> {
    this.#write(served);
    const check = spawnSync(this.#program, ['-c', '-f', this.#file()], { encoding: 'utf8' });
    if (check.status !== 0) throw new Error(/\[ALERT\][^:]*: (.*)/.exec(check.stderr)?.[1] ?? check.stderr.trim());
    this.#process?.signal('SIGUSR2');
  }

  protected async replace(served: Served, tenant: string, pem: string): Promise<void> {
    const file = served.tenants.get(tenant);
    const set = await this.#command(`set ssl ca-file ${file} <<\n${pem.trim()}\n`);
    if (!/transaction (created|updated)/i.test(set)) throw new Error(set.trim());
    const commit = await this.#command(`commit ssl ca-file ${file}`);
    if (!/success/i.test(commit)) throw new Error(commit.trim());
  }

  override async stop(): Promise<void> {
    await this.#process?.stop();
    await super.stop();
  }

  /** One command of the runtime API; resolves with all of its answer. */
  #command(text: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(join(this.folder, 'admin.sock'));
      const chunks: Buffer[] = [];
      socket.on('error', reject);
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      socket.on('close', () => resolve(Buffer.concat(chunks).toString('utf8')));
      socket.end(`${text}\n`);
    });
  }

  #file(): string {
    return join(this.folder, 'haproxy.cfg');
  }

  #write(served: Served): void {
    const list = join(this.folder, 'crt-list');
    const lines = [...served.tenants].map(([tenant, file]) => {
      const authorities = file === null ? '' : `ca-file ${file} `;
      const list = served.lists.get(tenant);
      const revoked = list === undefined ? '' : `crl-file ${list} `;
      return `${served.serverFile} [${authorities}${revoked}verify required] ${tenant}.agent.localhost`;
    });
    writeFileSync(list, `${served.serverFile} plain.agent.localhost\n${lines.join('\n')}\n`);
    writeFileSync(this.#file(), configuration(served, list));
  }
}

function configuration({ folder, port, backendPort, tenants, revision }: Served, list: string): string {
  const named = [...tenants.keys()].map(
    (tenant) => `  http-request set-header X-Tenant ${tenant} if { ssl_fc_sni -i ${tenant}.agent.localhost }`,
  );
  return `
global
  stats socket ${join(folder, 'admin.sock')} level admin expose-fd listeners
  ssl-default-bind-options ssl-min-ver TLSv1.2
  log stderr local0 emerg
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  timeout tunnel 30s
frontend tenants
  bind 127.0.0.1:${port} ssl crt-list ${list} strict-sni
  http-request set-var(txn.host) req.hdr(host),field(1,:),lower
  http-request deny deny_status 421 unless { ssl_fc_sni,lower,strcmp(txn.host) eq 0 }
  http-request del-header X-Tenant
  http-request del-header X-Client-Verify
  http-request del-header X-Client-Subject
${named.join('\n')}
  http-request set-header X-Client-Verify %[ssl_c_verify] if { ssl_c_used }
  http-request set-header X-Client-Subject %{+Q}[ssl_c_s_dn] if { ssl_c_used }
  http-response set-header X-Config ${revision}
  default_backend application
backend application
  server application 127.0.0.1:${backendPort}
`;
}
