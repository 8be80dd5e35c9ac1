import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeyPair } from './servers.ts';

export interface OpensslPair {
  readonly issuer: KeyPair;
  readonly newKey: readonly string[];
  /** Lines of the extension section; empty for none. */
  readonly extensions: readonly string[];
}

export const RSA_1024 = ['-newkey', 'rsa:1024'];
export const P256 = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];

/** A pair that our own tools refuse to make. */
export function opensslPair({ issuer, newKey, extensions }: OpensslPair): KeyPair {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-pair-'));
  const at = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
  try {
    writeFileSync(at('ca.crt'), issuer.certificatePem);
    writeFileSync(at('ca.key'), issuer.privateKeyPem);
    writeFileSync(at('ext'), `[x]\n${extensions.join('\n')}\n`);
    openssl(
      'req',
      '-new',
      '-nodes',
      ...newKey,
      '-subj',
      '/CN=made by openssl',
      '-keyout',
      at('key'),
      '-out',
      at('csr'),
    );
    const by = ['-CA', at('ca.crt'), '-CAkey', at('ca.key'), '-CAcreateserial'];
    openssl(
      'x509',
      '-req',
      '-in',
      at('csr'),
      ...by,
      '-days',
      '30',
      '-extfile',
      at('ext'),
      '-extensions',
      'x',
      '-out',
      at('crt'),
    );
    return { certificatePem: readFileSync(at('crt'), 'utf8'), privateKeyPem: readFileSync(at('key'), 'utf8') };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
