import assert from 'node:assert/strict';
import { eventually } from '@sallyport/dev-env';
import { onBothManagers } from './both-managers.ts';

const DAY_MS = 86_400_000;
const clock = { ahead: 0, now: () => new Date(Date.now() + clock.ahead) };
const onBoth = onBothManagers({ clock, environment: { SALLYPORT_TASK_RETENTION_DAYS: '2' } });

onBoth(
  'a task is kept for its time once it has ended, and then removed; one that ended later stays',
  async (t, dev) => {
    t.after(() => {
      clock.ahead = 0;
    });
    const { id: account } = await dev.account('keeping');
    const tasks = `/ng/api/tasks?accountIdentifier=${account}`;
    const create = async () => String((await dev.must('POST', tasks, { type: 'ECHO', data: {} }))['id']);
    const abort = (id: string) => dev.must('POST', `/ng/api/tasks/${id}/abort?accountIdentifier=${account}`);
    const listed = async () => {
      const found = (await dev.must('GET', tasks)) as unknown as { id: string }[];
      return found.map(({ id }) => id);
    };
    const old = await create();
    await abort(old);
    clock.ahead += 1.5 * DAY_MS;
    const newer = await create();
    await abort(newer);
    assert.deepEqual((await listed()).sort(), [old, newer].sort());
    clock.ahead += DAY_MS;
    await eventually('the old task is gone', async () => !(await listed()).includes(old));
    assert.deepEqual(await listed(), [newer]);
  },
);
