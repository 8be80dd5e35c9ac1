import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createAuthority, issueClientCertificate } from '@sallyport/trust';

/** What the demonstration keeps in the data folder, beside the control plane's own files. */
export class DemoFiles {
  readonly folder: string;
  readonly operatorKey: string;
  readonly caCertificate: string;
  readonly caKey: string;
  readonly clientCertificate: string;
  readonly clientKey: string;
  readonly managerLog: string;

  constructor(dataDirectory: string) {
    this.folder = join(dataDirectory, 'demo');
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    this.operatorKey = join(dataDirectory, 'operator.key');
    this.caCertificate = join(this.folder, 'ca.crt');
    this.caKey = join(this.folder, 'ca.key');
    this.clientCertificate = join(this.folder, 'client.crt');
    this.clientKey = join(this.folder, 'client.key');
    this.managerLog = join(this.folder, 'manager.log');
  }

  delegateLog(name: string): string {
    return join(this.folder, `${name}.log`);
  }

  /** Makes the customer's side of it where it belongs, on this machine: a CA, and a client certificate that it signs. */
  async ensureCertificates(now: Date): Promise<void> {
    const all = [this.caCertificate, this.caKey, this.clientCertificate, this.clientKey];
    if (all.every((path) => existsSync(path))) return;
    const authority = await createAuthority({ subject: { commonName: 'Acme demo CA', organization: 'Acme' }, now });
    const client = await issueClientCertificate({ authority, name: 'mtls-delegate', days: 365, now });
    writeFileSync(this.caKey, authority.privateKeyPem, { mode: 0o600 });
    writeFileSync(this.caCertificate, authority.certificatePem);
    writeFileSync(this.clientKey, client.privateKeyPem, { mode: 0o600 });
    writeFileSync(this.clientCertificate, client.certificatePem);
  }

  readOperatorKey(): string | null {
    return existsSync(this.operatorKey) ? readFileSync(this.operatorKey, 'utf8').trim() : null;
  }

  writeOperatorKey(key: string): void {
    writeFileSync(this.operatorKey, `${key}\n`, { mode: 0o600 });
  }
}
