import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { onTerminal, terminalUnavailable } from '../test/pseudo-terminal.ts';

const realBin = join(import.meta.dirname, '../bin/sallyport.mjs');
const realRuntime = join(import.meta.dirname, 'config/runtime.mjs');
const folder = mkdtempSync(join(tmpdir(), 'sallyport-bin-'));
after(() => rmSync(folder, { recursive: true }));

// A copy of the launcher in an installation of its own, whose pinned Node is a program that tells what it was given.
const bin = join(folder, 'apps/cli/bin/sallyport.mjs');
const pinned = join(folder, 'node_modules/node/bin/node');
cpSync(realBin, bin);
cpSync(realRuntime, join(folder, 'apps/cli/src/config/runtime.mjs'));
mkdirSync(join(folder, 'node_modules/node/bin'), { recursive: true });
writeFileSync(
  pinned,
  `#!${process.execPath}
const [main, verb, ...rest] = process.argv.slice(2).filter((argument) => !/^--(disable-warning|max-semi-space-size)=/.test(argument));
if (verb === 'args') { console.log(JSON.stringify({ flags: process.argv.slice(2, 4), main, rest })); process.exit(42); }
if (process.argv.includes('environment')) { console.log(JSON.stringify(process.env)); process.exit(0); }
if (verb === 'stdin') process.stdin.pipe(process.stdout);
if (verb === 'die') process.kill(process.pid, 'SIGKILL');
if (verb === 'signals') {
  let interrupts = 0;
  process.on('SIGINT', () => console.log('interrupt ' + ++interrupts));
  process.on('SIGTERM', () => { console.log('terminated'); process.exit(9); });
  // The launcher sends SIGUSR2 back, after every signal that it had to pass on before.
  process.on('SIGUSR2', () => { console.log('total ' + interrupts); process.exit(0); });
  process.stdin.on('data', () => process.kill(process.ppid, 'SIGUSR2'));
  console.log('ready');
}
`,
);
chmodSync(pinned, 0o755);

const launch = (...args: string[]) =>
  spawnSync(process.execPath, [bin, ...args], { encoding: 'utf8', input: 'piped in' });

async function seen(child: ChildProcess, text: string): Promise<void> {
  let output = '';
  const { stdout } = child;
  assert.ok(stdout);
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the launcher ended with ${String(code)} before it showed "${text}": ${output}`);
  });
  while (!output.includes(text)) {
    const [chunk] = (await Promise.race([once(stdout, 'data'), ended])) as [Buffer];
    output += chunk.toString();
  }
  // It ends sooner or later, and nobody waits for that here any more.
  ended.catch(() => undefined);
}

test('the launcher hands its arguments to the pinned Node and ends with its exit code', () => {
  const { status, stdout } = launch('args', 'endpoint', '--', 'a b', '--json');
  assert.equal(status, 42);
  assert.deepEqual(JSON.parse(stdout), {
    flags: ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=16'],
    main: join(folder, 'apps/cli/src/main.mjs'),
    rest: ['endpoint', '--', 'a b', '--json'],
  });
});

test('a server keeps what a connection does not use out of memory; other commands leave the environment as it is', () => {
  const started = (verb: string, environment: NodeJS.ProcessEnv) => {
    const options = { encoding: 'utf8', env: { ...process.env, ...environment } } as const;
    const { stdout } = spawnSync(process.execPath, [bin, verb, 'environment'], options);
    const { MALLOC_MMAP_THRESHOLD_: threshold, MALLOC_MMAP_MAX_: most } = JSON.parse(stdout) as NodeJS.ProcessEnv;
    return { threshold, most };
  };
  assert.deepEqual(started('serve', {}), { threshold: '65536', most: '32768' });
  assert.deepEqual(started('serve', { MALLOC_MMAP_MAX_: '7' }), { threshold: '65536', most: '7' });
  assert.deepEqual(started('delegate', {}), { threshold: undefined, most: undefined });
});

test('the launcher passes standard input through', () => {
  assert.equal(launch('stdin').stdout, 'piped in');
});

test('a supervisor that signals the launcher reaches the program, whose answer is the exit code', async () => {
  const child = spawn(process.execPath, [bin, 'signals'], { stdio: ['pipe', 'pipe', 'inherit'] });
  await seen(child, 'ready');
  child.kill('SIGINT');
  await seen(child, 'interrupt 1');
  child.kill('SIGTERM');
  const [code] = (await once(child, 'exit')) as [number];
  assert.equal(code, 9);
});

test('a program that a signal ended makes the launcher end by the same signal', () => {
  assert.equal(launch('die').signal, 'SIGKILL');
});

test('Ctrl-C on a terminal reaches the program once, not twice', { skip: terminalUnavailable }, async (t) => {
  const terminal = onTerminal(t, [process.execPath, bin, 'signals'], {});
  await terminal.shows('ready');
  terminal.type('\u0003');
  await terminal.shows('interrupt 1');
  terminal.type('count\n');
  await terminal.shows('total 1');
});

test('without the pinned Node the launcher says where it looked and what to run', () => {
  const lonely = join(folder, 'elsewhere/bin/sallyport.mjs');
  cpSync(realBin, lonely);
  cpSync(realRuntime, join(folder, 'elsewhere/src/config/runtime.mjs'));
  rmSync(join(folder, 'node_modules'), { recursive: true });
  const { status, stderr } = spawnSync(process.execPath, [lonely], { encoding: 'utf8' });
  assert.equal(status, 1);
  assert.match(
    stderr,
    /error: the pinned Node.js of this installation is missing\ndetails: .*elsewhere.bin\nremedy: run "npm ci"/,
  );
});

test('the real launcher runs the real program', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [realBin, '--version'], { encoding: 'utf8' });
  assert.equal(stderr, '');
  assert.equal(status, 0);
  assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
});

test('a launcher that is killed leaves no server behind', async () => {
  const data = join(folder, 'data');
  const listen = { SALLYPORT_PUBLIC_LISTEN: '127.0.0.1:0', SALLYPORT_MTLS_LISTEN: '127.0.0.1:0' };
  const child = spawn(process.execPath, [realBin, 'serve'], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, ...listen, SALLYPORT_DATA_DIR: data },
  });
  await seen(child, 'accepts connections');
  // The server holds the other end of its output: that closes with it.
  const ended = once(child.stdout, 'close');
  child.stdout.resume();
  child.kill('SIGKILL');
  await ended;
});
