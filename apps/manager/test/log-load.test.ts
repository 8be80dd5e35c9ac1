// Alone in its process: measures the longest turn of its event loop.
import assert from 'node:assert/strict';
import { DevAgent, longestTurn } from '@sallyport/dev-env';
import { onBothManagers } from './both-managers.ts';
import { LogRig, line } from './log-rig.ts';

const onBoth = onBothManagers();
/** Half of it on a quiet machine: reading, checking and sending lines in pieces; a commit is never waited for in it. */
const LONGEST_TURN_MS = 100;

onBoth('heavy log traffic does not hold up heartbeats', async (t, dev) => {
  const rig = new LogRig(dev);
  t.after(() => rig.close());
  const account = await dev.account('busy');
  const token = await rig.token(account);
  const agent = new DevAgent(await rig.plain(), { accountId: 'busy', token: account.token, name: 'heart' });
  await agent.register();
  const batch = JSON.stringify(
    Array.from({ length: 500 }, (_, pos) => line(`${'some output of a build '.repeat(4)}\n`, pos)),
  );
  const writers = await Promise.all(Array.from({ length: 10 }, async () => rig.writer(account, token)));
  for (const index of writers.keys()) await writers[index]?.open(`build:${index}`);
  const tail = await (await rig.writer(account, token)).tail('build:0');
  const waits: number[] = [];
  let writing = true;
  const { longestMs } = await longestTurn(async () => {
    const work = Promise.all(
      writers.map(async (writer, index) => {
        for (let round = 0; round < 12; round += 1) {
          assert.equal((await writer.call('PUT', '/stream', `build:${index}`, '', batch)).status, 204);
        }
      }),
    ).finally(() => {
      writing = false;
    });
    while (writing) {
      const before = performance.now();
      assert.equal((await agent.heartbeat()).status, 200);
      waits.push(performance.now() - before);
    }
    await work;
  });
  await writers[0]?.close('build:0', '&snapshot=true');
  await tail.ended;
  assert.ok(waits.length > 20);
  waits.sort((a, b) => a - b);
  const at = (share: number) => (waits[Math.floor(waits.length * share)] ?? 0).toFixed(1);
  t.diagnostic(
    `60,000 lines by 10 writers: longest turn ${longestMs.toFixed(1)} ms; ${waits.length} heartbeats, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`,
  );
  assert.ok(longestMs < LONGEST_TURN_MS, `the longest turn took ${longestMs.toFixed(1)} ms`);
});
