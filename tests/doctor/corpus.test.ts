// Among the first: takes as long as a dozen others.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CHECKS, type Diagnosis } from '@sallyport/doctor';
import { encodeDelegateToken } from '@sallyport/protocol';
import { ADMISSION_CASES } from './cases-admission.ts';
import { CERTIFICATE_CASES } from './cases-certificate.ts';
import { ENVIRONMENT_CASES } from './cases-environment.ts';
import { FILE_CASES } from './cases-files.ts';
import { NETWORK_CASES } from './cases-network.ts';
import { PROXY_CASES } from './cases-proxy.ts';
import { type Case, diagnosisOf, Rig } from './rig.ts';

const CORPUS: readonly Case[] = [
  ...ENVIRONMENT_CASES,
  ...FILE_CASES,
  ...CERTIFICATE_CASES,
  ...NETWORK_CASES,
  ...PROXY_CASES,
  ...ADMISSION_CASES,
];

const table: string[] = [];
const outputs: string[] = [];
let rig: Rig;

before(async () => {
  rig = await Rig.start();
});

after(async () => {
  await rig.close();
  console.log(
    `${table.join('\n')}\n${table.filter((line) => line.startsWith('right')).length} of ${CORPUS.length} right`,
  );
});

for (const { name, cause, says, does = /.{10}/, status = 'fail', broken } of CORPUS) {
  test(`${name}: ${CHECKS[cause].title}`, async () => {
    const diagnosis = await diagnosisOf(broken, rig);
    outputs.push(JSON.stringify(diagnosis));
    const found = diagnosis.cause;
    const right = found?.id === cause && diagnosis.status === status && says.test(found.evidence);
    const took = `${diagnosis.tookMs} ms`.padStart(8);
    table.push(
      `${right ? 'right' : 'WRONG'}  ${took}  ${cause.padEnd(18)} ${name}: ${found?.evidence ?? 'nothing found'}`,
    );
    assert.equal(found?.id, cause, summary(diagnosis));
    assert.equal(diagnosis.status, status, summary(diagnosis));
    assert.match(found?.evidence ?? '', says);
    assert.match(found?.remedy ?? '', does, 'it says what to do');
    assertSkipped(diagnosis);
    assert.ok(diagnosis.tookMs < 5000);
  });
}

test('the corpus has at least 60 broken set-ups, each under a name of its own', () => {
  assert.ok(CORPUS.length >= 60);
  assert.equal(new Set(CORPUS.map(({ name }) => name)).size, CORPUS.length);
});

test('no diagnosis of the corpus holds a token, a password or a line of a key', () => {
  const { acme, strict, client } = rig;
  const secrets = [
    ...[acme, strict].flatMap(({ token, adminKey }) => [token, encodeDelegateToken(token), adminKey]),
    ...client.privateKeyPem.split('\n').filter((line) => line.length > 20 && !line.startsWith('-----')),
    ...['hunter2-hunter2', btoa('ann:hunter2-hunter2'), 'correct horse'],
  ];
  const all = outputs.join('\n');
  assert.equal(outputs.length, CORPUS.length);
  for (const secret of secrets) assert.ok(!all.includes(secret), `a secret of ${secret.length} characters`);
});

/** What failed is told once: nothing that follows from it fails as well, and every skipped check names a failed one. */
function assertSkipped({ checks }: Diagnosis): void {
  for (const { id, because } of checks) {
    if (because !== null)
      assert.equal(checks.find((check) => check.id === because)?.status, 'fail', `${id} waits for ${because}`);
  }
}

const summary = ({ checks }: Diagnosis): string =>
  checks.map(({ status, id, evidence }) => `${status} ${id}: ${evidence}`).join('\n');
