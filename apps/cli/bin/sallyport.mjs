#!/usr/bin/env node
// The `sallyport` command on a machine with any Node >= 20: hands over to the pinned Node of the installation that this
// file belongs to, with its streams, its signals and its exit code. Plain JavaScript, because that Node may read nothing else.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeOptions, serverEnvironment, serverOptions } from '../src/config/runtime.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const main = join(here, '..', 'src', 'main.mjs');

/** The pinned Node in the nearest node_modules above this file, as package resolution would find it. */
function findPinnedNode(folder) {
  const name = process.platform === 'win32' ? 'node.exe' : 'node';
  const candidate = join(folder, 'node_modules', 'node', 'bin', name);
  if (existsSync(candidate)) return candidate;
  const parent = dirname(folder);
  return parent === folder ? null : findPinnedNode(parent);
}

const pinnedNode = findPinnedNode(here);
if (pinnedNode === null) {
  process.stderr.write(
    `error: the pinned Node.js of this installation is missing\ndetails: no node_modules/node/bin/node above ${here}\n` +
      'remedy: run "npm ci" in the folder of the repository, then the command again\n',
  );
  process.exit(1);
}

// The other commands hold no connections, and what a delegate's tasks start should find the environment of the machine.
const serves = process.argv[2] === 'serve';
const child = spawn(pinnedNode, [...(serves ? serverOptions() : nodeOptions), main, ...process.argv.slice(2)], {
  // The channel carries nothing. It breaks when this process is killed, and then the program ends too: see main.mjs.
  stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  ...(serves && { env: serverEnvironment() }),
});
child.on('error', (error) => {
  process.stderr.write(`error: cannot start ${pinnedNode}: ${error.message}\n`);
  process.exit(1);
});

// On a terminal Ctrl-C and hanging up reach the child by themselves, being of the same process group; a second copy
// would look like an impatient second Ctrl-C. A supervisor signals this process alone.
const onTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
const forwarded = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'];
for (const signal of forwarded) {
  process.on(signal, () => {
    if (!onTerminal || signal === 'SIGTERM' || signal === 'SIGUSR2') child.kill(signal);
  });
}

child.on('exit', (code, signal) => {
  if (signal === null) process.exit(code);
  // Ends as the child ended, so that a shell sees the same: 128 + n, and a loop in it stops at Ctrl-C.
  for (const name of forwarded) process.removeAllListeners(name);
  process.kill(process.pid, signal);
});
