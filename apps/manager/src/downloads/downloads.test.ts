import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type DevAccount, DevManager, TestAuthority } from '@sallyport/dev-env';
import { type GenerateOptions, generate, readManifest } from '@sallyport/manifest';
import { encodeDelegateToken } from '@sallyport/protocol';

const IMAGE = 'registry.example.com/delegate:25.09.86700';
const UPGRADER = 'registry.example.com/upgrader:1.2.3';
const KUBERNETES = '/ng/api/download-delegates/kubernetes';
const DOCKER = '/ng/api/download-delegates/docker';
const HELM = '/ng/api/delegate-setup/generate-helm-values';
const CALLS = [
  [KUBERNETES, 'harness-delegate.yaml'],
  [DOCKER, 'docker-compose.yaml'],
  [HELM, 'harness-delegate-values.yaml'],
] as const;
const BODY = { name: 'edge-1', delegateType: 'KUBERNETES' };

let dev: DevManager;
let plain: DevAccount;
let loose: DevAccount;
let strict: DevAccount;

before(async () => {
  dev = await DevManager.start({
    environment: { SALLYPORT_DELEGATE_IMAGE: IMAGE, SALLYPORT_UPGRADER_IMAGE: UPGRADER },
  });
  plain = await dev.account('plain');
  const { certificatePem } = await TestAuthority.create('ca');
  loose = await dev.account('loose', { caCertificates: certificatePem, mode: 'LOOSE' });
  strict = await dev.account('strict', { caCertificates: certificatePem, mode: 'STRICT' });
});
after(() => dev.stop());

const download = (path: string, account: DevAccount, body: object, key: string = account.adminKey) =>
  dev.api('POST', `${path}${path.includes('?') ? '&' : '?'}accountIdentifier=${account.id}`, body, key);
const textOf = async (path: string, account: DevAccount, body: object) => {
  const answer = await download(path, account, body);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return String(answer.body);
};
const generated = (options: Partial<GenerateOptions> & Pick<GenerateOptions, 'form' | 'endpoint' | 'accountId'>) =>
  generate({ delegateName: 'edge-1', image: IMAGE, ...options }).files.at(-1)?.text;

describe('a downloaded file', () => {
  for (const [path, name] of CALLS) {
    for (const prefix of ['', '/gateway']) {
      test(`${prefix}${path} is the attachment ${name}`, async () => {
        const { status, headers } = await download(`${prefix}${path}`, plain, BODY);
        assert.equal(status, 200);
        assert.equal(headers['content-type'], 'text/plain; charset=UTF-8');
        assert.equal(headers['content-disposition'], `attachment; filename=${name}`);
        assert.equal(headers['content-transfer-encoding'], 'binary');
        assert.equal(headers['cache-control'], 'no-store');
      });
    }
  }

  test('is the one that "manifest generate" makes of the same options', async () => {
    const common = { accountId: 'strict', endpoint: dev.mtlsUrl('strict'), token: strict.token };
    const details = { description: 'at the edge', size: 'SMALL', tags: ['linux', 'arm'] } as const;
    const mtls = { from: 'secret', secretName: 'edge-1-client-certificate' } as const;
    assert.equal(
      await textOf(KUBERNETES, strict, {
        ...{ name: 'edge-1', ...details, clusterPermissionType: 'CLUSTER_VIEWER', customClusterNamespace: 'agents' },
      }),
      generated({
        ...{ ...common, ...details, mtls, form: 'kubernetes', upgrader: { image: UPGRADER } },
        ...{ clusterPermission: 'CLUSTER_VIEWER', namespace: 'agents' },
      }),
    );
    const files = { from: 'files', certificate: './client.crt', key: './client.key' } as const;
    assert.equal(
      await textOf(DOCKER, strict, { name: 'edge-1', ...details }),
      generated({ ...common, ...details, mtls: files, form: 'compose' }),
    );
    assert.equal(
      await textOf(HELM, strict, {
        ...{ name: 'edge-1', delegateType: 'HELM_DELEGATE', ...details, version: '25.10.90000.minimal' },
        k8sConfigDetails: { k8sPermissionType: 'NAMESPACE_ADMIN', namespace: 'agents' },
      }),
      generated({
        ...{ ...common, ...details, mtls, form: 'helm-values', upgrader: { image: UPGRADER } },
        ...{ clusterPermission: 'NAMESPACE_ADMIN', namespace: 'agents' },
        image: 'registry.example.com/delegate:25.10.90000.minimal',
      }),
    );
  });

  test('is of an mTLS delegate in LOOSE and STRICT, with FQDN and port, and names the certificate', async () => {
    for (const account of [loose, strict]) {
      const kubernetes = await textOf(KUBERNETES, account, BODY);
      const [delegate] = readManifest(kubernetes).delegates;
      assert.equal(delegate?.environment['MANAGER_HOST_AND_PORT'], dev.mtlsUrl(account.id));
      assert.equal(delegate?.environment['DELEGATE_CLIENT_CERTIFICATE_PATH'], '/etc/mtls/client.crt');
      assert.match(kubernetes, /secretName: edge-1-client-certificate\n/);
      assert.match(kubernetes, /# The Secret "edge-1-client-certificate" must exist .* first: kubectl create secret/);
      assert.doesNotMatch(kubernetes, /PRIVATE KEY|client\.key:/);
      const helm = await textOf(HELM, account, BODY);
      assert.match(helm, /mTLS:\n {2}secretName: edge-1-client-certificate\n/);
      assert.ok(helm.includes(`managerEndpoint: ${dev.mtlsUrl(account.id)}\n`));
      assert.match(await textOf(DOCKER, account, BODY), /\.\/client\.key:\/etc\/mtls\/client\.key:ro/);
    }
  });

  test('of an account without an endpoint connects to where the request was sent, without mTLS', async () => {
    const answer = await dev.request(`${dev.publicUrl}${DOCKER}?accountIdentifier=plain`, {
      method: 'POST',
      headers: { 'x-api-key': plain.adminKey, host: new URL(dev.publicUrl).host },
      body: BODY,
    });
    const [delegate] = readManifest(String(answer.body)).delegates;
    assert.equal(delegate?.environment['MANAGER_HOST_AND_PORT'], dev.publicUrl);
    assert.equal(delegate?.environment['DELEGATE_CLIENT_CERTIFICATE_PATH'], undefined);
    assert.deepEqual(delegate?.files, []);
  });

  test('names the image that the account is kept at: published, overridden, and none that was halted', async () => {
    const other = await DevManager.start({ environment: { SALLYPORT_DELEGATE_IMAGE: IMAGE } });
    try {
      const { id, adminKey } = await other.account('acme');
      const image = async () => {
        const { body } = await other.api('POST', `${DOCKER}?accountIdentifier=${id}`, BODY, adminKey);
        return /image: (.*)/.exec(String(body))?.[1];
      };
      assert.equal(await image(), IMAGE);
      const published = 'registry.example.com/published:25.11.90000';
      await other.must('POST', '/ng/api/upgrades/releases', { ring: 'stable', image: published, force: true });
      assert.equal(await image(), published);
      const tag = `accountIdentifier=${id}&delegateTag=25.11.90001`;
      await other.must('PUT', `/ng/api/delegate-setup/override-delegate-tag?${tag}`, undefined, adminKey);
      assert.equal(await image(), 'registry.example.com/published:25.11.90001');
      await other.must(
        'DELETE',
        `/ng/api/delegate-setup/override-delegate-tag?accountIdentifier=${id}`,
        undefined,
        adminKey,
      );
      await other.must('POST', '/ng/api/upgrades/rings/stable/halt', { reason: 'bad' });
      assert.equal(await image(), IMAGE);
    } finally {
      await other.stop();
    }
  });

  test('has no upgrader where nobody configured its image', async () => {
    const other = await DevManager.start({ environment: { SALLYPORT_DELEGATE_IMAGE: IMAGE } });
    try {
      const account = await other.account('acme');
      const answer = await other.api('POST', `${KUBERNETES}?accountIdentifier=acme`, BODY, account.adminKey);
      assert.doesNotMatch(String(answer.body), /CronJob|upgrader/);
    } finally {
      await other.stop();
    }
  });
});

describe('the token of a downloaded file', () => {
  test('is the default one, or the one that is named', async () => {
    const query = `accountIdentifier=${plain.id}&tokenName=named`;
    const named = await dev.must('POST', `/ng/api/delegate-token-ng?${query}`, undefined, plain.adminKey);
    const seen = async (body: object) =>
      readManifest(await textOf(DOCKER, plain, { ...BODY, ...body })).delegates[0]?.environment['DELEGATE_TOKEN'];
    assert.equal(await seen({}), encodeDelegateToken(plain.token));
    assert.equal(await seen({ tokenName: null }), encodeDelegateToken(plain.token));
    assert.equal(await seen({ tokenName: 'named' }), named['value']);
  });

  test('of a project is found in the project only', async () => {
    const scope = 'orgIdentifier=o1&projectIdentifier=p1';
    const query = `accountIdentifier=${plain.id}&${scope}&tokenName=default_token_o1/p1`;
    const made = await dev.must('POST', `/ng/api/delegate-token-ng?${query}`, undefined, plain.adminKey);
    const text = await textOf(`${DOCKER}?${scope}`, plain, BODY);
    assert.equal(readManifest(text).delegates[0]?.environment['DELEGATE_TOKEN'], made['value']);
    assert.equal((await download(DOCKER, plain, { ...BODY, tokenName: 'default_token_o1/p1' })).status, 400);
    assert.equal((await download(`${DOCKER}?projectIdentifier=p1`, plain, BODY)).status, 400);
  });

  test('that is revoked, or of another account, makes no file', async () => {
    for (const name of ['gone', 'others']) {
      const account = name === 'gone' ? plain : loose;
      const query = `accountIdentifier=${account.id}&tokenName=${name}`;
      await dev.must('POST', `/ng/api/delegate-token-ng?${query}`, undefined, account.adminKey);
      if (name === 'gone') await dev.must('PUT', `/ng/api/delegate-token-ng?${query}`, undefined, account.adminKey);
    }
    const refused = async (tokenName: string) => {
      const { status, body } = await download(KUBERNETES, plain, { ...BODY, tokenName });
      return [status, body['code'], body['message']];
    };
    const token = (name: string, what: string) => [400, 'INVALID_REQUEST', `The delegate token '${name}' ${what}.`];
    assert.deepEqual(await refused('gone'), token('gone', 'is revoked'));
    assert.deepEqual(await refused('others'), token('others', 'does not exist'));
  });

  test('is never given to a viewer or to another account, nor written into the log', async () => {
    for (const [path] of CALLS) {
      assert.equal((await download(path, plain, BODY, plain.viewerKey)).status, 403);
      assert.equal((await download(path, plain, BODY, loose.adminKey)).status, 403);
    }
    await textOf(KUBERNETES, plain, BODY);
    assert.ok(!dev.log().includes(plain.token) && !dev.log().includes(encodeDelegateToken(plain.token)));
  });
});

describe('a download is refused, with what is wrong', () => {
  const cases: readonly [string, string, object, RegExp][] = [
    ['a name that Kubernetes refuses', KUBERNETES, { name: 'Edge_1' }, /"Edge_1" is no delegate name/],
    ['a name with a line end', KUBERNETES, { name: 'a\nb' }, /is no delegate name/],
    ['a namespace that Kubernetes refuses', KUBERNETES, { ...BODY, customClusterNamespace: 'a: b' }, /namespace/],
    ['a tag with a comma', DOCKER, { ...BODY, tags: ['a,b'] }, /"a,b" is no tag/],
    ['an unknown size', DOCKER, { ...BODY, size: 'HUGE' }, /./],
    ['no name', DOCKER, {}, /./],
    ['a docker delegate by Helm', HELM, { ...BODY, delegateType: 'DOCKER' }, /type 'DOCKER'/],
    ['a version that is no tag', HELM, { ...BODY, version: 'evil/image:1 --privileged' }, /is not the tag of an image/],
    ['a switch that the chart does not have', HELM, { ...BODY, runAsRoot: false }, /runAsRoot/],
  ];
  for (const [what, path, body, message] of cases) {
    test(what, async () => {
      const answer = await download(path, plain, body);
      assert.equal(answer.status, 400);
      assert.match(String(answer.body['message']), message);
      assert.ok(answer.body['correlationId']);
    });
  }

  test('an image that cannot use mTLS, where the account has an endpoint', async () => {
    const answer = await download(HELM, strict, { ...BODY, version: 'latest' });
    assert.equal(answer.status, 400);
    assert.match(String(answer.body['message']), /immutable image/);
    assert.equal((await download(HELM, plain, { ...BODY, version: 'latest' })).status, 200);
  });

  test('no image is known', async () => {
    const other = await DevManager.start();
    try {
      const account = await other.account('acme');
      const answer = await other.api('POST', `${KUBERNETES}?accountIdentifier=acme`, BODY, account.adminKey);
      assert.deepEqual([answer.status, answer.body['code']], [417, 'FEATURE_UNAVAILABLE']);
      assert.match(String(answer.body['remedy'] ?? JSON.stringify(answer.body)), /SALLYPORT_DELEGATE_IMAGE/);
    } finally {
      await other.stop();
    }
  });
});
