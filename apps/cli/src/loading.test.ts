import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';

/** A thread that loads the whole command tree and the client of its commands; any import of TypeBox is refused. */
const WITHOUT_SCHEMAS = `
  const { parentPort, workerData } = require('node:worker_threads');
  require('node:module').registerHooks({
    resolve(specifier, context, next) {
      if (/^typebox(?:\\/|$)/.test(specifier)) throw new Error(context.parentURL + ' loads ' + specifier);
      return next(specifier, context);
    },
  });
  Promise.all(workerData.map((url) => import(url)))
    .then(async ([{ buildProgram }]) => {
      const tools = { environment: {}, terminal: process, now: Date.now, setExit: () => undefined };
      const { commands } = await buildProgram(tools);
      parentPort.postMessage(commands.map((command) => command.name()));
    })
    .catch((error) => parentPort.postMessage(error.message));
`;

test('no command loads schemas: the program starts anew for each, and the control plane checks what it is sent', async () => {
  const workerData = [import.meta.resolve('./program.ts'), import.meta.resolve('./api.ts')];
  const worker = new Worker(WITHOUT_SCHEMAS, { eval: true, workerData });
  const [commands] = await once(worker, 'message');
  await worker.terminate();
  assert.ok(Array.isArray(commands), String(commands));
  assert.ok(commands.includes('account'));
});
