import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TestAuthority } from '@sallyport/dev-env';
import { issueServerCertificate } from '@sallyport/trust';

export interface Pair {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

/** One set of P-256 certificates for every server and client of a run, made for it and gone with it. */
export interface Certificates {
  /** Signs the clients: what the customer uploads. */
  readonly authority: TestAuthority;
  readonly client: Pair;
  readonly server: Pair;
  /** Verifies the servers. */
  readonly serverCa: string;
  readonly files: {
    readonly serverCertificate: string;
    readonly serverKey: string;
    /** Certificate and key in one file, as HAProxy wants them. */
    readonly serverBoth: string;
    readonly clientCa: string;
  };
}

export async function makeCertificates(folder: string): Promise<Certificates> {
  const [authority, serverAuthority] = await Promise.all([
    TestAuthority.create('Bench CA'),
    TestAuthority.create('Bench servers'),
  ]);
  const [client, server] = await Promise.all([
    authority.client('bench'),
    issueServerCertificate({
      authority: serverAuthority.pair,
      dnsNames: ['localhost', '*.agent.localhost'],
      keyAlgorithm: 'EC P-256',
      now: new Date(),
    }),
  ]);
  mkdirSync(folder, { recursive: true });
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  return {
    authority,
    client,
    server,
    serverCa: serverAuthority.certificatePem,
    files: {
      serverCertificate: write('server.crt', server.certificatePem),
      serverKey: write('server.key', server.privateKeyPem),
      serverBoth: write('server.pem', server.certificatePem + server.privateKeyPem),
      clientCa: write('client-ca.crt', authority.certificatePem),
    },
  };
}
