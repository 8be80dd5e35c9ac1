import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rawTls } from '@sallyport/dev-env';
import type { Made } from '../../packages/trust/test/certificate-maker.ts';
import type { Ability, Demand, RevokingTarget } from '../gauntlet.ts';
import { hear } from '../talk.ts';
import type { Backend } from './backend.ts';
import { UPGRADE } from './sallyport.ts';
import type { ServerIdentity } from './server-identity.ts';

/** A change is in force when this many new connections in a row meet the new configuration. */
const SETTLED = 4;
const SETTLE_LIMIT_MS = 20_000;

/** What a proxy's configuration is written from. */
export interface Served {
  /** Tenant -> file with its CA certificates; null leaves the directive for them out. */
  readonly tenants: ReadonlyMap<string, string | null>;
  /** Tenant -> file with the revocation lists of its CAs, for those that have any. */
  readonly lists: ReadonlyMap<string, string>;
  readonly port: number;
  readonly backendPort: number;
  readonly folder: string;
  readonly serverFile: string;
  readonly serverKeyFile: string;
  /** Shown in the header X-Config of the plain host, so that one can see which configuration answers. */
  readonly revision: number;
}

/** A reverse proxy before the backend: tenants and their CAs in its configuration, changed as that proxy changes them. */
export abstract class ProxyTarget implements RevokingTarget {
  abstract readonly key: string;
  abstract readonly version: string;
  readonly abilities: ReadonlySet<Ability> = new Set<Ability>();
  // A reload ends idle connections of every tenant.
  readonly atOnce = 1;
  readonly port: number;
  readonly plain: { readonly port: number; readonly name: string };
  protected readonly folder: string;
  readonly #backend: Backend;
  readonly #tenants = new Map<string, string | null>();
  readonly #lists = new Map<string, string>();
  readonly #files: { readonly certificate: string; readonly key: string };
  #revision = 1;

  protected constructor(port: number, folder: string, backend: Backend, server: ServerIdentity) {
    this.port = port;
    this.plain = { port, name: 'plain.agent.localhost' };
    this.folder = folder;
    this.#backend = backend;
    mkdirSync(folder, { recursive: true });
    this.#files = { certificate: join(folder, 'server.pem'), key: join(folder, 'server.pem.key') };
    writeFileSync(this.#files.certificate, server.certificatePem);
    writeFileSync(this.#files.key, server.privateKeyPem, { mode: 0o600 });
  }

  /** Makes the running proxy use the configuration; rejects when it refuses it. */
  protected abstract load(served: Served): Promise<void>;
  /** Replaces the CA certificates of one tenant, whose file is written already. */
  protected abstract replace(served: Served, tenant: string, pem: string): Promise<void>;

  protected served(): Served {
    return {
      tenants: this.#tenants,
      lists: this.#lists,
      port: this.port,
      backendPort: this.#backend.port,
      folder: this.folder,
      serverFile: this.#files.certificate,
      serverKeyFile: this.#files.key,
      revision: this.#revision,
    };
  }

  nameOf(tenant: string): string {
    return `${tenant}.agent.localhost`;
  }

  async addTenant(id: string, authority: Made): Promise<void> {
    await this.#change(() => this.#tenants.set(id, this.#write(id, authority.pem)));
  }

  async setAuthorities(id: string, pem: string): Promise<void> {
    const before = readFileSync(this.#fileOf(id), 'utf8');
    this.#write(id, pem);
    try {
      await this.replace(this.served(), id, pem);
    } catch (error) {
      // As an operator would: the file that was refused does not stay to spoil the next change.
      this.#write(id, before);
      throw error;
    }
  }

  async setNoAuthorities(id: string): Promise<void> {
    await this.#change(() => this.#tenants.set(id, null));
  }

  /** For proxies that have the ability. */
  async setRevocationLists(id: string, pem: string): Promise<void> {
    const file = join(this.folder, `crl-of-${id}.pem`);
    const before = this.#lists.has(id) ? readFileSync(file, 'utf8') : null;
    writeFileSync(file, pem);
    try {
      await this.#change(() => this.#lists.set(id, file));
    } catch (error) {
      if (before === null) this.#lists.delete(id);
      else writeFileSync(file, before);
      throw error;
    }
  }

  async removeTenant(id: string): Promise<void> {
    await this.#change(() => this.#tenants.delete(id));
  }

  async demand(): Promise<Demand> {
    return { method: 'POST', path: '/who', headers: ['Content-Type: application/json'], body: '{}' };
  }

  admits(text: string, tenant: string): boolean {
    return text.includes(`{"backend":true,"tenant":"${tenant}"`);
  }

  async subjectSeen(_tenant: string, text: string): Promise<string | null> {
    const json = /\{"backend":true.*?\}/.exec(text)?.[0];
    return json === undefined ? null : String((JSON.parse(json) as { subject: unknown }).subject);
  }

  async streamDemand(): Promise<Demand> {
    return { method: 'GET', path: '/stream', headers: UPGRADE, body: '' };
  }

  async stop(): Promise<void> {
    this.#backend.stop();
  }

  /** For a change that the proxy loads as a whole: when it refuses it, nothing is kept of it here either. */
  async #change(change: () => void): Promise<void> {
    const before = new Map(this.#tenants);
    change();
    this.#revision += 1;
    try {
      await this.load(this.served());
      await this.settled();
    } catch (error) {
      this.#tenants.clear();
      for (const [id, file] of before) this.#tenants.set(id, file);
      throw error;
    }
  }

  /** Loads the current tenants again, for proxies that have no narrower way to replace a CA. */
  protected async reload(): Promise<void> {
    this.#revision += 1;
    await this.load(this.served());
    await this.settled();
  }

  /** Resolves when new connections meet the configuration of the current revision. */
  protected async settled(): Promise<void> {
    const deadline = performance.now() + SETTLE_LIMIT_MS;
    for (let good = 0; good < SETTLED; ) {
      good = (await this.#revisionSeen()) === this.#revision ? good + 1 : 0;
      if (good === 0 && performance.now() > deadline)
        throw new Error('the change is refused: the old one stays in use');
    }
  }

  async #revisionSeen(): Promise<number | null> {
    try {
      const { port, name } = this.plain;
      const socket = await rawTls({ port, serverName: name });
      const text = await hear(socket, `GET / HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`);
      socket.destroy();
      return Number(/x-config: (\d+)/i.exec(text)?.[1] ?? 'NaN');
    } catch {
      // Between two processes nobody may listen for a moment.
      return null;
    }
  }

  #write(id: string, pem: string): string {
    const file = this.#fileOf(id);
    writeFileSync(file, pem);
    return file;
  }

  #fileOf(id: string): string {
    return join(this.folder, `ca-of-${id}.pem`);
  }
}
