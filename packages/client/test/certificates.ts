import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Pair {
  readonly certificate: string;
  readonly key: string;
}

/** Certificates of a throw-away CA, made by the openssl binary in a folder of its own. */
export class TestAuthority {
  readonly directory = mkdtempSync(join(tmpdir(), 'sallyport-client-'));
  readonly certificatePath = join(this.directory, 'ca.crt');
  #serial = 0;

  constructor(name = 'Test CA') {
    this.#openssl('-keyout', 'ca.key', '-out', 'ca.crt', '-days', '2', '-subj', `/CN=${name}`);
  }

  get certificate(): string {
    return readFileSync(this.certificatePath, 'utf8');
  }

  server(...names: string[]): Pair {
    return this.#leaf(names[0] ?? 'server', `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}`);
  }

  client(name: string): Pair {
    return this.#leaf(name, 'extendedKeyUsage=clientAuth');
  }

  /** The pair as files: paths of certificate and key. */
  write(name: string, pair: Pair): [certificatePath: string, keyPath: string] {
    const paths: [string, string] = [join(this.directory, `${name}.crt`), join(this.directory, `${name}.key`)];
    writeFileSync(paths[0], pair.certificate);
    writeFileSync(paths[1], pair.key, { mode: 0o600 });
    return paths;
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  #leaf(name: string, extension: string): Pair {
    this.#serial += 1;
    const [certificate, key] = [`leaf-${this.#serial}.crt`, `leaf-${this.#serial}.key`];
    const issuer = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-addext', 'basicConstraints=critical,CA:FALSE'];
    this.#openssl(
      '-keyout',
      key,
      '-out',
      certificate,
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      ...issuer,
      '-addext',
      extension,
    );
    return {
      certificate: readFileSync(join(this.directory, certificate), 'utf8'),
      key: readFileSync(join(this.directory, key), 'utf8'),
    };
  }

  #openssl(...args: string[]): void {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    execFileSync('openssl', ['req', '-x509', ...key, ...args], { cwd: this.directory, stdio: 'pipe' });
  }
}
