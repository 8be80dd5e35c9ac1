#!/usr/bin/env node
// Runs a script of this repository on the pinned Node, on a machine that has any Node >= 20:
// installs the locked dependencies when they are missing or differ from the lock file, then hands over.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeOptions } from '../apps/cli/src/config/runtime.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const pinnedNode = join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');

/** True when every required package of the lock file is installed at the locked version. */
function installed() {
  const installedLock = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installedLock) || !existsSync(pinnedNode)) return false;
  const present = JSON.parse(readFileSync(installedLock, 'utf8')).packages;
  const locked = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  return Object.entries(locked).every(
    ([path, entry]) =>
      path === '' || !path.includes('node_modules/') || entry.optional || present[path]?.version === entry.version,
  );
}

/** Null when npm has installed what the lock file names; or why not. */
function install(...how) {
  const npm = spawnSync('npm', ['ci', '--no-audit', '--no-fund', ...how], { cwd: root, stdio: ['ignore', 2, 2] });
  return npm.status === 0 ? null : (npm.error?.message ?? npm.signal ?? `exit status ${npm.status}`);
}

if (!installed()) {
  process.stderr.write('Installing the locked dependencies (npm ci) ...\n');
  // What npm has kept of an earlier install is as good, the lock file knowing what it has to be, and saves a third of the
  // time. Kept lists of versions may be too old to name one that is locked: then the registry is asked.
  const failure = install('--prefer-offline', '--silent') && install('--loglevel=error');
  if (failure !== null) {
    process.stderr.write(`npm ci failed: ${failure}. Mend what npm printed above, then run the command again.\n`);
    process.exit(1);
  }
  if (!existsSync(pinnedNode)) {
    process.stderr.write(
      `The pinned Node is missing at ${pinnedNode}: npm skipped the install script of the package "node". ` +
        'Run "npm rebuild node", then the command again.\n',
    );
    process.exit(1);
  }
}

const [script, ...args] = process.argv.slice(2);
if (script === undefined) {
  process.stderr.write('usage: run.mjs SCRIPT [ARGUMENT ...]\n');
  process.exit(2);
}
const child = spawn(pinnedNode, [...nodeOptions, join(root, script), ...args], { stdio: 'inherit' });
// On a terminal Ctrl-C reaches the child by itself, being of the same process group; a second copy would look like an
// impatient second Ctrl-C. A supervisor signals this process alone.
const onTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    if (!onTerminal || signal === 'SIGTERM') child.kill(signal);
  });
}
child.on('error', (error) => {
  process.stderr.write(`cannot start ${pinnedNode}: ${error.message}\n`);
  process.exit(1);
});
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 143)));
