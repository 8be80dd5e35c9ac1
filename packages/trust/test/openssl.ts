// The openssl command in a folder of its own. Machines without it skip the tests that need it, and say so.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';

const version = spawnSync('openssl', ['version'], { encoding: 'utf8' });
export const skip =
  version.error || !/^OpenSSL [3-9]/.test(version.stdout) ? 'needs the openssl command, version 3' : false;

export class OpensslFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'sallyport-trust-'));

  constructor() {
    after(() => rmSync(this.path, { recursive: true, force: true }));
  }

  /** Runs one command line as a person would type it: no shell, words split at spaces, quotes kept together. */
  run(line: string): string {
    const words = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '');
    return execFileSync('openssl', words.slice(1), {
      cwd: this.path,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /** True when the command succeeds. */
  accepts(line: string): boolean {
    try {
      this.run(line);
      return true;
    } catch {
      return false;
    }
  }

  read(file: string): string {
    return readFileSync(join(this.path, file), 'utf8');
  }

  write(file: string, text: string): void {
    writeFileSync(join(this.path, file), text);
  }
}
