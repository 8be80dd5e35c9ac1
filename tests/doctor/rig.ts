import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type DevAccount, DevManager, TestAuthority } from '@sallyport/dev-env';
import { type CheckId, type Diagnosis, type DoctorInput, diagnose, TIME_LIMITS } from '@sallyport/doctor';
import { createAuthority, type IssuedPair, issueServerCertificate } from '@sallyport/trust';
import { Closing, type KeyPair } from './servers.ts';

const DAY_MS = 86_400_000;

/** One broken set-up, and what has to be named as its cause. */
export interface Case {
  readonly name: string;
  readonly cause: CheckId;
  /** In the evidence of the cause. */
  readonly says: RegExp;
  /** The one thing to do, where it is not obvious. */
  readonly does?: RegExp;
  readonly status?: 'fail' | 'warn';
  readonly broken: (rig: Rig) => Partial<DoctorInput> | Promise<Partial<DoctorInput>>;
}

export type Variables = Readonly<Record<string, string>>;

/** What the whole corpus shares: one manager with its accounts, and keys that are made once. */
export class Rig {
  readonly closing = new Closing();
  readonly folder = mkdtempSync(join(tmpdir(), 'sallyport-doctor-'));
  readonly manager: DevManager;
  /** Its endpoint is LOOSE. */
  readonly acme: DevAccount;
  /** Its endpoint is STRICT. */
  readonly strict: DevAccount;
  readonly authority: TestAuthority;
  /** As `authority`, and of an organization: what the manager tells a missing intermediate by. */
  readonly house: IssuedPair;
  /** An authority that nobody trusts, and one for server certificates of its own. */
  readonly stranger: TestAuthority;
  readonly serverAuthority: TestAuthority;
  readonly client: KeyPair;
  /** For localhost and acme.agent.localhost. */
  readonly server: KeyPair;
  #files = 0;

  private constructor(
    parts: Pick<
      Rig,
      'manager' | 'acme' | 'strict' | 'authority' | 'house' | 'stranger' | 'serverAuthority' | 'client' | 'server'
    >,
  ) {
    this.manager = parts.manager;
    this.acme = parts.acme;
    this.strict = parts.strict;
    this.authority = parts.authority;
    this.house = parts.house;
    this.stranger = parts.stranger;
    this.serverAuthority = parts.serverAuthority;
    this.client = parts.client;
    this.server = parts.server;
  }

  static async start(): Promise<Rig> {
    const [manager, authority, stranger, serverAuthority] = await Promise.all([
      DevManager.start(),
      // Old enough to have issued what is out of date now.
      TestAuthority.create('Acme CA', { now: new Date(Date.now() - 400 * DAY_MS) }),
      TestAuthority.create('Somebody else'),
      TestAuthority.create('Acme server CA', { now: new Date(Date.now() - 400 * DAY_MS) }),
    ]);
    const now = new Date();
    const house = await createAuthority({
      subject: { commonName: 'Acme root', organization: 'Acme' },
      keyAlgorithm: 'EC P-256',
      now,
    });
    const caCertificates = authority.certificatePem + house.certificatePem;
    const acme = await manager.account('acme', { caCertificates, mode: 'LOOSE' });
    const strict = await manager.account('strict', { caCertificates, mode: 'STRICT' });
    const client = await authority.client('edge-1', { now });
    const dnsNames = ['localhost', 'acme.agent.localhost'];
    const server = await issueServerCertificate({ authority: serverAuthority.pair, dnsNames, now });
    return new Rig({ manager, acme, strict, authority, house, stranger, serverAuthority, client, server });
  }

  async close(): Promise<void> {
    await this.closing.close();
    await this.manager.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A new file in a folder of its own; answers with its path. */
  file(name: string, text: string | Buffer, mode = 0o600): string {
    this.#files += 1;
    const path = join(this.folder, String(this.#files), name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    // Not by writing: the umask of whoever runs the tests would take bits away.
    chmodSync(path, mode);
    return path;
  }

  /** The variables of a delegate of acme without mTLS. */
  plain(more: Variables = {}): Record<string, string> {
    return {
      ACCOUNT_ID: this.acme.id,
      DELEGATE_TOKEN: this.acme.token,
      DELEGATE_NAME: 'edge-1',
      MANAGER_HOST_AND_PORT: this.manager.publicUrl,
      SALLYPORT_EXTRA_CA_FILE: this.#caFile(),
      ...more,
    };
  }

  /** The variables of a delegate of acme with mTLS; the pair in files of its own. */
  mtls(more: Variables = {}, pair: KeyPair = this.client): Record<string, string> {
    return {
      ...this.plain(),
      MANAGER_HOST_AND_PORT: this.manager.mtlsUrl('acme'),
      DELEGATE_CLIENT_CERTIFICATE_PATH: this.file('client.crt', pair.certificatePem),
      DELEGATE_CLIENT_CERTIFICATE_KEY_PATH: this.file('client.key', pair.privateKeyPem),
      ...more,
    };
  }

  /** As `mtls` or `plain`, but to another server, which `serverAuthority` has certified. */
  elsewhere(
    port: number,
    { host = 'localhost', base = this.plain() }: { host?: string; base?: Variables } = {},
  ): Variables {
    const both = this.file('cas.pem', `${this.manager.serverCa}\n${this.serverAuthority.certificatePem}`);
    return { ...base, MANAGER_HOST_AND_PORT: `https://${host}:${port}`, SALLYPORT_EXTRA_CA_FILE: both };
  }

  serverPair(
    dnsNames: readonly string[],
    options: { now?: Date; days?: number; authority?: TestAuthority } = {},
  ): Promise<KeyPair> {
    const { now = new Date(), days = 30, authority = this.serverAuthority } = options;
    return issueServerCertificate({ authority: authority.pair, dnsNames, days, now });
  }

  #ca: string | undefined;

  #caFile(): string {
    this.#ca ??= this.file('server-ca.pem', this.manager.serverCa);
    return this.#ca;
  }
}

/** For those that are silent, so that the corpus does not wait. Only for those: a busy machine may take as long. */
export const IMPATIENT = { stepMs: 600 };

export async function diagnosisOf(broken: Case['broken'], rig: Rig): Promise<Diagnosis> {
  const input = await broken(rig);
  return diagnose({ environment: {}, ...input, limits: { ...TIME_LIMITS, ...input.limits } });
}
