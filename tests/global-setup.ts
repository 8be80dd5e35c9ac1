import { mkdtempSync, rmSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PostgresServer, startSharedPostgres } from '@sallyport/dev-env';

let postgres: PostgresServer | undefined;

export async function globalSetup(): Promise<void> {
  hideCertificatesOfTheMachine();
  const starting = startSharedPostgres();
  // By itself Node writes down what it has compiled when a process ends: until the first one has, each would compile it all.
  flushCompileCache();
  postgres = await starting;
}

export async function globalTeardown(): Promise<void> {
  await postgres?.stop();
}

/**
 * Tests trust CAs of their own and Node's. Those of the machine, hundreds on some, would be read by every process and
 * parsed for every client again: a third of the work of the tests that connect most.
 */
function hideCertificatesOfTheMachine(): void {
  const empty = mkdtempSync(join(tmpdir(), 'sallyport-no-certificates-'));
  process.once('exit', () => rmSync(empty, { recursive: true }));
  process.env['SSL_CERT_DIR'] = empty;
  process.env['SSL_CERT_FILE'] = join(empty, 'none.pem');
  delete process.env['NODE_EXTRA_CA_CERTS'];
}
