import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { connect, createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { searchPath } from '../config.ts';
import type { ServerProcess } from '../process/children.ts';

/** Where a program is installed, or null. Servers are often in an sbin folder that a user's path leaves out. */
export function findProgram(name: string): string | null {
  for (const folder of [...searchPath().split(delimiter), '/usr/sbin', '/usr/local/sbin']) {
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

/** What the program prints about its version, on whichever stream. Throws when it cannot be run. */
export function versionText(program: string, argument: string): string {
  const { error, stdout, stderr } = spawnSync(program, [argument], { encoding: 'utf8' });
  if (error !== undefined) throw error;
  return stdout + stderr;
}

/** A port of the loopback that nobody listens on now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** Resolves when the server accepts connections; rejects with what it printed when it ends or takes too long. */
export async function listening(server: ServerProcess, port: number, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await accepts(port))) {
    if (!server.running()) throw new Error(`the server ended at its start: ${server.output()}`);
    if (Date.now() > deadline) throw new Error(`the server did not open port ${port}: ${server.output()}`);
    await sleep(50);
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
