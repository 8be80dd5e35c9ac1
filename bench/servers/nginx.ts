import { mkdirSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { Bench } from '../bench.ts';
import type { Children, ServerProcess } from '../process/children.ts';
import { withChildren } from '../process/cpu.ts';
import { findProgram, listening, versionText } from './programs.ts';

export interface NginxOptions {
  /** Inside `http { }`. */
  readonly http: string;
  readonly port: number;
  readonly startTimeoutMs?: number;
}

/** nginx with one worker, as one Sallyport process is one, and without access log. */
export class Nginx {
  readonly process: ServerProcess;
  readonly port: number;
  readonly configFile: string;

  private constructor(process: ServerProcess, port: number, configFile: string) {
    this.process = process;
    this.port = port;
    this.configFile = configFile;
  }

  /** Null when nginx is not installed. */
  static version(): string | null {
    const program = findProgram('nginx');
    if (program === null) return null;
    const text = versionText(program, '-V');
    const [, version] = /nginx\/([\d.]+)/.exec(text) ?? [];
    const [, openssl] = /running with OpenSSL ([\d.]+)/.exec(text) ?? /built with OpenSSL ([\d.]+)/.exec(text) ?? [];
    return `nginx ${version} (OpenSSL ${openssl})`;
  }

  static async start(children: Children, folder: string, options: NginxOptions): Promise<Nginx> {
    const program = findProgram('nginx');
    if (program === null) throw new Error('nginx is not installed');
    mkdirSync(folder, { recursive: true });
    const configFile = join(folder, 'nginx.conf');
    writeFileSync(configFile, mainConfig(folder, options.http));
    const server = await children.spawn(program, ['-p', folder, '-c', configFile, '-e', join(folder, 'error.log')]);
    await listening(server, options.port, options.startTimeoutMs ?? 10_000);
    return new Nginx(server, options.port, configFile);
  }

  get pids(): readonly number[] {
    return withChildren(this.process.pid);
  }

  stop(): Promise<void> {
    return this.process.stop();
  }
}

/** nginx as one sets it up in front of a program: mTLS before it, kept connections behind. For `NginxOptions.http`. */
export function proxying({ certificates }: Bench, port: number, backend: number, keptConnections: number): string {
  const { serverCertificate, serverKey, clientCa } = certificates.files;
  return `
  upstream backend {
    server 127.0.0.1:${backend};
    keepalive ${keptConnections};
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${port} ssl backlog=4096;
    server_name acme.agent.localhost;
    ssl_protocols TLSv1.3;
    ssl_certificate ${serverCertificate};
    ssl_certificate_key ${serverKey};
    ssl_client_certificate ${clientCa};
    ssl_verify_client on;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    client_max_body_size 8m;
    client_body_buffer_size 256k;
    location / {
      proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Client-Certificate-Fingerprint $ssl_client_fingerprint;
    }
  }`;
}

export function mainConfig(folder: string, http: string): string {
  // Started as root, workers would become a user who may not read this folder.
  const user = userInfo().uid === 0 ? 'user root;' : '';
  return `
daemon off;
${user}
pid ${join(folder, 'nginx.pid')};
worker_processes 1;
worker_rlimit_nofile 16384;
events { worker_connections 8192; }
http {
  access_log off;
  default_type text/plain;
  server_tokens off;
  client_body_temp_path ${join(folder, 'body')};
  proxy_temp_path ${join(folder, 'proxy')};
  fastcgi_temp_path ${join(folder, 'fastcgi')};
  uwsgi_temp_path ${join(folder, 'uwsgi')};
  scgi_temp_path ${join(folder, 'scgi')};
${http}
}
`;
}
