import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type DevAccount, DevManager, TestAuthority } from '@sallyport/dev-env';
import { encodeDelegateToken } from '@sallyport/protocol';
import { runCommand } from '../test/captured-terminal.ts';

const IMAGE = 'registry.example.com/delegate:25.09.86700';
const NAMED = ['--name', 'edge-1', '--image', IMAGE];

const folder = mkdtempSync(join(tmpdir(), 'sallyport-connected-'));
const at = (name: string) => join(folder, name);
let dev: DevManager;
const accounts = new Map<string, DevAccount>();

before(async () => {
  dev = await DevManager.start({ environment: { SALLYPORT_DELEGATE_IMAGE: IMAGE } });
  writeFileSync(at('server-ca.crt'), dev.serverCa);
  const authority = await TestAuthority.create('ca');
  const stranger = await TestAuthority.create('stranger');
  for (const [name, ca] of [
    ['client', authority],
    ['stranger', stranger],
  ] as const) {
    const pair = await ca.client('edge-1');
    writeFileSync(at(`${name}.crt`), pair.certificatePem);
    writeFileSync(at(`${name}.key`), pair.privateKeyPem);
  }
  writeFileSync(at('stranger-ca.crt'), stranger.certificatePem);
  accounts.set('plain', await dev.account('plain'));
  for (const mode of ['LOOSE', 'STRICT'] as const) {
    const id = mode.toLowerCase();
    accounts.set(id, await dev.account(id, { caCertificates: authority.certificatePem, mode }));
  }
});
after(async () => {
  await dev.stop();
  rmSync(folder, { recursive: true });
});

function connected(account: string, environment: Readonly<Record<string, string>> = {}) {
  const { adminKey = '' } = accounts.get(account) ?? {};
  const variables = {
    SALLYPORT_URL: dev.publicUrl,
    SALLYPORT_API_KEY: adminKey,
    SALLYPORT_CA_FILE: at('server-ca.crt'),
  };
  return (...args: string[]) =>
    runCommand(['manifest', ...args], { now: Date.now(), environment: { ...variables, ...environment } });
}
const credentials = (name: string) => ['--certificate', at(`${name}.crt`), '--key', at(`${name}.key`)];

/** A delegate as it was installed without mTLS. */
async function plainManifest(account: string): Promise<string> {
  const file = at(`${account}-${accounts.size}.yaml`);
  const made = await connected(account)(
    ...['generate', ...NAMED, '--endpoint', dev.publicUrl, '--account', account, '--token-secret', 'edge-1-token'],
  );
  assert.equal(made.exit, 0, made.stderr);
  writeFileSync(file, made.stdout);
  return file;
}

describe('generate, connected', () => {
  test('makes the same files as the download API', async () => {
    for (const account of ['plain', 'loose', 'strict']) {
      const { token = '' } = accounts.get(account) ?? {};
      writeFileSync(at('token'), encodeDelegateToken(token));
      const run = connected(account);
      const compare = async (path: string, ...args: string[]) => {
        const made = await run('generate', ...NAMED, ...args, '--token-file', at('token'), '--size', 'small');
        assert.equal(made.exit, 0, made.stderr);
        const body = { name: 'edge-1', delegateType: 'KUBERNETES', size: 'SMALL' };
        const answer = await dev.request(`${dev.publicUrl}${path}?accountIdentifier=${account}`, {
          method: 'POST',
          headers: { 'x-api-key': dev.operatorKey, host: new URL(dev.publicUrl).host },
          body,
        });
        assert.equal(made.stdout, answer.body, `${account} ${path}`);
      };
      await compare('/ng/api/download-delegates/kubernetes');
      await compare('/ng/api/delegate-setup/generate-helm-values', '--form', 'helm');
      if (account === 'plain') await compare('/ng/api/download-delegates/docker', '--form', 'compose');
    }
  });

  test('takes FQDN and port from the control plane', async () => {
    const made = await connected('strict')('generate', ...NAMED, '--token-secret', 't', ...credentials('client'));
    assert.equal(made.exit, 0, made.stderr);
    assert.match(made.stdout, new RegExp(`name: MANAGER_HOST_AND_PORT\\n +value: ${dev.mtlsUrl('strict')}\\n`));
    assert.match(made.stdout, /client\.key: /);
  });

  test('refuses a certificate that the endpoint would refuse, one for an account without endpoint, and docker without one', async () => {
    const refused = async (account: string, ...args: string[]) => {
      const { exit, stdout, stderr } = await connected(account)('generate', ...NAMED, ...args);
      assert.notEqual(exit, 0);
      assert.equal(stdout, '');
      return stderr;
    };
    assert.match(
      await refused('strict', '--token-secret', 't', ...credentials('stranger')),
      /would refuse this client certificate/,
    );
    assert.match(await refused('plain', '--token-secret', 't', '--secret', 's'), /account plain has no mTLS endpoint/);
    assert.match(await refused('loose', '--form', 'compose'), /no certificate is named/);
    assert.match(
      await refused('loose', '--token-secret', 't', '--project', 'p1'),
      /Project-level certificates are not supported/,
    );
    assert.match(
      await refused('loose', '--token-secret', 't', '--org', 'o1'),
      /Project-level certificates are not supported/,
    );
  });

  test('says what to do when no control plane is named', async () => {
    const { exit, stderr } = await runCommand([
      'manifest',
      'generate',
      ...NAMED,
      '--account',
      'a',
      '--token-secret',
      't',
    ]);
    assert.equal(exit, 2);
    assert.match(stderr, /--endpoint <url> is missing/);
  });
});

describe('migrate, connected', () => {
  test('takes the endpoint from the control plane, and refuses what its CA bundle refuses', async () => {
    const file = await plainManifest('loose');
    const migrated = await connected('loose')('migrate', file, ...credentials('client'));
    assert.equal(migrated.exit, 0, migrated.stderr);
    assert.ok(migrated.stdout.includes(`+          value: ${dev.mtlsUrl('loose')}\n`), migrated.stdout);
    for (const endpoint of [[], ['--endpoint', dev.mtlsUrl('loose')]]) {
      const refused = await connected('loose')('migrate', file, ...credentials('stranger'), ...endpoint);
      assert.equal(refused.exit, 1);
      assert.match(refused.stderr, /details: CERTIFICATE_REFUSED/);
    }
  });

  test("never writes one account's endpoint into the manifest of another", async () => {
    const file = await plainManifest('strict');
    const refused = await connected('loose')('migrate', file, ...credentials('client'));
    assert.equal(refused.exit, 2);
    assert.match(refused.stderr, /belongs to account strict, and the control plane was asked about loose/);
    const checked = await connected('loose')('check', file, '--fix');
    assert.match(checked.stderr, /of account strict, and the control plane was asked about loose/);
    assert.ok(!checked.stdout.includes(dev.mtlsUrl('loose')), checked.stdout);
  });

  test('judges by --ca when it is given, and not at all for another endpoint', async () => {
    const file = await plainManifest('loose');
    const run = connected('loose');
    const mine = await run('migrate', file, ...credentials('stranger'), '--ca', at('stranger-ca.crt'));
    assert.equal(mine.exit, 0, mine.stderr);
    const other = ['--endpoint', 'https://other.agent.example.com'];
    assert.equal((await run('migrate', file, ...credentials('stranger'), ...other)).exit, 0);
    const unclear = await run(
      'migrate',
      file,
      ...credentials('client'),
      '--ca',
      at('stranger-ca.crt'),
      '--url',
      dev.publicUrl,
    );
    assert.equal(unclear.exit, 2);
    assert.match(unclear.stderr, /SALLYPORT_CA_FILE or a profile/);
  });

  test('says that the account has no endpoint', async () => {
    const { exit, stderr } = await connected('plain')(
      'migrate',
      await plainManifest('plain'),
      ...credentials('client'),
    );
    assert.equal(exit, 2);
    assert.match(stderr, /account plain has no mTLS endpoint/);
  });
});

describe('check, connected', () => {
  const codes = async (account: string, file: string, ...more: string[]) => {
    const { stdout } = await connected(account)('check', file, '--json', ...more);
    return (JSON.parse(stdout) as { code: string }[]).map(({ code }) => code);
  };

  test('finds a plain delegate in an account that is STRICT, and not in one that is LOOSE', async () => {
    const file = await plainManifest('strict');
    assert.ok((await codes('strict', file)).includes('PLAIN_ENDPOINT_STRICT'));
    assert.ok(!(await codes('loose', file)).includes('PLAIN_ENDPOINT_STRICT'));
    assert.ok(!(await codes('strict', file, '--mode', 'loose')).includes('PLAIN_ENDPOINT_STRICT'));
    assert.ok(!(await codes('plain', file)).includes('PLAIN_ENDPOINT_STRICT'));
  });

  test('finds a certificate that the endpoint would refuse', async () => {
    const file = await plainManifest('strict');
    const migrated = await runCommand(
      ['manifest', 'migrate', file, '--endpoint', dev.mtlsUrl('strict'), ...credentials('stranger'), '--write'],
      { now: Date.now() },
    );
    assert.equal(migrated.exit, 0, migrated.stderr);
    assert.deepEqual((await codes('strict', file)).filter((code) => code === 'CERTIFICATE_REFUSED').length, 1);
    assert.ok(readFileSync(file, 'utf8').includes('client.key'));
  });

  test('goes on with a warning when the control plane cannot be asked', async () => {
    const file = await plainManifest('strict');
    const { exit, stderr } = await connected('strict', { SALLYPORT_URL: 'https://127.0.0.1:1' })('check', file);
    assert.equal(exit, 0, stderr);
    assert.match(stderr, /^warning: The control plane was not asked about the account: Nothing accepts/);
  });
});
