import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';

/** A thread in which no package can be loaded. Answers with the names of what an entry exports. */
const WITHOUT_PACKAGES = `
  const { parentPort, workerData } = require('node:worker_threads');
  require('node:module').registerHooks({
    resolve(specifier, context, next) {
      if (!/^(?:\\.|file:)/.test(specifier)) throw new Error(context.parentURL + ' loads ' + specifier);
      return next(specifier, context);
    },
  });
  import(workerData)
    .then((entry) => parentPort.postMessage(Object.keys(entry)))
    .catch((error) => parentPort.postMessage(error.message));
`;

async function namesOf(entry: string): Promise<unknown> {
  const workerData = pathToFileURL(join(import.meta.dirname, entry)).href;
  const worker = new Worker(WITHOUT_PACKAGES, { eval: true, workerData });
  const [names] = await once(worker, 'message');
  await worker.terminate();
  return names;
}

test('the main entry loads no package: only who checks what is on the wire pays for schemas', async () => {
  const names = await namesOf('index.ts');
  assert.ok(Array.isArray(names), String(names));
  for (const name of ['agentPaths', 'errorBody', 'ERROR_LEDGER', 'WEBHOOK_EVENT_TYPES'])
    assert.ok(names.includes(name));
  assert.match(String(await namesOf('schemas/index.ts')), /\/schemas\/\w[\w-]*\.ts loads typebox$/);
});
