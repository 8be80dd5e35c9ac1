import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

/** Tells at the end of a process what it has loaded that it should not need: TypeBox, and Node's reader of TypeScript. */
const OBSERVER = `
  import { registerHooks } from 'node:module';
  const loaded = [];
  registerHooks({
    resolve(specifier, context, next) {
      if (/^typebox(?:\\/|$)/.test(specifier)) loaded.push(specifier + ' by ' + context.parentURL);
      return next(specifier, context);
    },
  });
  process.on('exit', () => {
    loaded.push(...process.moduleLoadList.filter((name) => name.includes('/amaro/')));
    console.log(JSON.stringify(loaded));
  });
`;

/** What a command loads that makes every module of the command line load: its version comes last. */
function loadedBy(main: string): readonly string[] {
  const observer = `data:text/javascript,${encodeURIComponent(OBSERVER)}`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--import', observer, main, '--version'], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as string[];
}

test('no command loads schemas, nor what reads TypeScript once that is done: each pays for what all of them load', () => {
  const main = join(import.meta.dirname, 'main.mjs');
  assert.deepEqual(
    loadedBy(main).filter((name) => name.startsWith('typebox')),
    [],
  );
  assert.deepEqual(loadedBy(main), []);
});
