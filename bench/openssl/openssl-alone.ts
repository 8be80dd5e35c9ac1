import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findProgram } from '../servers/programs.ts';

/** What keeps OpenSSL from being measured alone here, or null. */
export function whyNotAlone(): string | null {
  return findProgram('gcc') === null ? 'needs gcc' : null;
}

/** Compiles the in-memory handshake as an addon for the Node that runs this. Returns its file. Throws with gcc's words. */
export function buildAddon(folder: string): string {
  const gcc = findProgram('gcc');
  if (gcc === null) throw new Error('gcc is not installed');
  const addon = join(folder, 'handshake.node');
  const source = fileURLToPath(new URL('handshake.c', import.meta.url));
  const result = spawnSync(gcc, ['-O2', '-Wall', '-shared', '-fPIC', '-o', addon, source], { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`gcc failed: ${result.stderr}`);
  return addon;
}
