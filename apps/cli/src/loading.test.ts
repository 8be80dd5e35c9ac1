import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

/** Tells at the end of a process which packages it has imported, each with who does, and whether it has loaded Node's reader of TypeScript. */
const OBSERVER = `
  import { registerHooks } from 'node:module';
  const loaded = new Map();
  registerHooks({
    resolve(specifier, context, next) {
      if (/^[a-z@]/.test(specifier) && !/^(?:node|file|data):/.test(specifier)) loaded.set(specifier, context.parentURL);
      return next(specifier, context);
    },
  });
  process.on('exit', () => {
    for (const name of process.moduleLoadList) if (name.includes('/amaro/')) loaded.set('amaro', name);
    console.log(JSON.stringify([...loaded].map(([name, by]) => name + ' by ' + by)));
  });
`;

/** What a command loads that begins with one of the names. */
function loadedBy(args: readonly string[], names: RegExp): readonly string[] {
  const observer = `data:text/javascript,${encodeURIComponent(OBSERVER)}`;
  const main = join(import.meta.dirname, 'main.mjs');
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--import', observer, main, ...args], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  const loaded = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as string[];
  assert.ok(loaded.some((name) => name.startsWith('commander')));
  return loaded.filter((name) => names.test(name));
}

test('no command loads schemas, nor what reads TypeScript once that is done: each pays for what all of them load', () => {
  // With its version the program loads every command that it has.
  assert.deepEqual(loadedBy(['--version'], /^typebox/), []);
  assert.deepEqual(loadedBy(['--version'], /^(?:typebox|amaro)/), []);
});

test('what works on files alone loads no HTTP client', () => {
  assert.deepEqual(loadedBy(['manifest', '--help'], /^(?:undici|ws|@sallyport\/client) /), []);
});
