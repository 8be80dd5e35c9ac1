import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { DevManager, eventually, TestAuthority } from '@sallyport/dev-env';
import type { Diagnosis } from '@sallyport/doctor';
import { readDelegateConfig } from '../config/delegate-config.ts';
import { DEFAULT_TIMINGS } from '../config/timings.ts';
import { startDelegate } from '../delegate.ts';
import { createLogger } from '../logger.ts';
import { SelfExamination } from './self-examination.ts';

interface Line {
  readonly level: string;
  readonly msg: string;
  readonly check?: string;
  readonly remedy?: string;
}

function capturedLog() {
  const lines: Line[] = [];
  const output = { write: (line: string) => lines.push(JSON.parse(line)) > 0 } as unknown as NodeJS.WritableStream;
  return { lines, logger: createLogger('info', output) };
}

/** A delegate of a STRICT account, without mTLS: it is refused until somebody changes the mode. */
async function refusedDelegate(context: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-examination-'));
  const [manager, authority] = await Promise.all([DevManager.start(), TestAuthority.create('Acme CA')]);
  context.after(async () => {
    await manager.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const account = await manager.account('acme', { caCertificates: authority.certificatePem, mode: 'STRICT' });
  const caFile = join(folder, 'ca.pem');
  writeFileSync(caFile, manager.serverCa);
  const config = readDelegateConfig({
    ACCOUNT_ID: account.id,
    DELEGATE_TOKEN: account.token,
    DELEGATE_NAME: 'edge-1',
    MANAGER_HOST_AND_PORT: manager.publicUrl,
    SALLYPORT_EXTRA_CA_FILE: caFile,
    DELEGATE_HEALTH_PORT: '0',
    DELEGATE_LOG_SPOOL_DIRECTORY: join(folder, 'spool'),
  });
  const { lines, logger } = capturedLog();
  const timings = { ...DEFAULT_TIMINGS, reconnectBaseMs: 20, reconnectMaxMs: 40 };
  const delegate = await startDelegate({ ...config, timings }, logger);
  context.after(() => delegate.close());
  const health = async () => (await fetch(`http://127.0.0.1:${delegate.healthPort}/api/health`)).json();
  return { manager, account, lines, health: health as () => Promise<Record<string, unknown>> };
}

test('a delegate that is refused again and again finds the cause by itself, and tells it in log and health until it is back', async (context) => {
  const { manager, account, lines, health } = await refusedDelegate(context);
  const told = await eventually('the verdict is in the log', () =>
    lines.find(({ msg }) => msg.startsWith('the doctor found the cause')),
  );
  assert.equal(told.check, 'mode');
  assert.equal(told.level, 'warn');
  assert.match(told.msg, /accepts mTLS delegates only \(STRICT\)/);
  assert.ok((told.remedy ?? '').length > 10);
  const { diagnosis } = (await health()) as {
    diagnosis: { status: string; cause: { id: string }; findings: unknown[] };
  };
  assert.deepEqual([diagnosis.status, diagnosis.cause.id, diagnosis.findings.length], ['fail', 'mode', 1]);
  await manager.setMode(account.id, 'LOOSE');
  const connected = async () => ((await health())['connection'] as { state: string }).state === 'connected';
  await eventually('it is connected', connected);
  assert.equal((await health())['diagnosis'], null);
  assert.equal(lines.filter(({ msg }) => msg.startsWith('the doctor')).length, 1, 'at most once in ten minutes');
  assert.ok(!JSON.stringify([lines, diagnosis]).includes(account.token));
});

test('it looks after the third failure, one at a time and not again before its time, and never in the way', async () => {
  const { lines, logger } = capturedLog();
  let now = 0;
  const looks: PromiseWithResolvers<Diagnosis>[] = [];
  const examination = new SelfExamination({
    diagnose: () => {
      const look = Promise.withResolvers<Diagnosis>();
      looks.push(look);
      return look.promise;
    },
    afterFailures: 3,
    everyMs: 600_000,
    logger,
    now: () => now,
  });
  for (const failures of [1, 2]) examination.onFailure(failures);
  assert.equal(looks.length, 0);
  examination.onFailure(3);
  now = 700_000;
  examination.onFailure(4);
  assert.equal(looks.length, 1, 'one at a time');
  looks[0]?.reject(new Error('broken doctor'));
  await eventually('the failure is told', () => lines.some(({ msg }) => msg.includes('could not look')));
  now = 599_999;
  examination.onFailure(5);
  assert.equal(looks.length, 1, 'not before its time');
  now = 600_000;
  examination.onFailure(6);
  assert.equal(looks.length, 2);
  looks[1]?.reject(new Error('broken doctor'));
  await examination.close();
  now = 2_000_000;
  examination.onFailure(7);
  assert.equal(looks.length, 2, 'not after the end');
});
