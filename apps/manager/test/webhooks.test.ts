import assert from 'node:assert/strict';
import { suite } from 'node:test';
import { eventually, TestAuthority } from '@sallyport/dev-env';
import type { ClientCertificate, WebhookDelivery } from '@sallyport/protocol';
import { onBothManagers } from './both-managers.ts';
import { FleetRig } from './fleet-rig.ts';
import { PolicyRig } from './policy-rig.ts';
import { isSigned, WebhookReceiver } from './webhook-receiver.ts';

const managerTest = onBothManagers({ environment: { SALLYPORT_WEBHOOK_LOOPBACK_HTTP: 'allow' } });

// At once: each has an account and a receiver of its own, and mostly waits for the manager to look what is new.
suite('webhooks of a manager', { concurrency: true }, () => {
  managerTest('a webhook is told, signed, of what happens to the endpoint, and by whom', async (t, dev) => {
    const rig = await FleetRig.create(t, dev, 'told');
    const receiver = await WebhookReceiver.start(t);
    const webhook = await dev.must('POST', rig.path('webhooks'), { url: receiver.url() }, rig.account.adminKey);
    const secret = String(webhook['secret']);
    assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/);

    await rig.patch({ mode: 'STRICT' });
    const changed = await receiver.next('endpoint.changed');
    assert.ok(isSigned(changed, secret));
    assert.ok(!isSigned({ ...changed, body: `${changed.body} ` }, secret));
    assert.equal(changed.payload.data['accountIdentifier'], 'told');
    assert.deepEqual(changed.payload.data['mode'], { before: 'LOOSE', after: 'STRICT' });
    assert.match(String(changed.payload.data['actor']), /^account-admin "ACCOUNT_ADMIN" \(/);

    const stranger = await (await TestAuthority.create('Other')).client('stranger');
    assert.equal(await rig.refused(stranger), 'UNKNOWN_ISSUER');
    const refused = await receiver.next('refusal.new');
    const [refusal] = refused.payload.data['refusals'] as { reason: string; certificate: { fingerprint: string } }[];
    assert.equal(refusal?.reason, 'UNKNOWN_ISSUER');
    assert.equal(refusal?.certificate.fingerprint, stranger.facts.fingerprint256);
    assert.ok(isSigned(refused, secret));

    const list = await dev.must('GET', rig.path('webhooks'), undefined, rig.account.viewerKey);
    await eventually('delivered', async () => {
      const deliveries = await dev.must('GET', rig.path(`webhooks/${webhook['uuid']}/deliveries`));
      return (deliveries as unknown as { state: string }[]).every(({ state }) => state === 'DELIVERED');
    });
    assert.equal(String(list[0]?.['url']), `http://127.0.0.1:${receiver.port}/...`);
    assert.equal(JSON.stringify(list).includes('whsec_'), false);
    assert.equal(dev.log().includes(secret), false);
    assert.equal(dev.log().includes(secret.slice(6)), false);
  });

  managerTest(
    'certificates that end, delegates that fall back, and CRLs are told of, each as it happens',
    async (t, dev) => {
      const rig = await PolicyRig.create(t, dev, 'kinds');
      const { fleet } = rig;
      const receiver = await WebhookReceiver.start(t);
      await rig.must('POST', 'webhooks', { url: receiver.url() });

      const ending = await fleet.authority.client('edge-1', { days: 5 });
      const agent = await fleet.onMtls('edge-1', ending);
      const { data } = (await receiver.next('certificate.expiring')).payload;
      const [certificate] = data['certificates'] as Record<string, unknown>[];
      assert.equal(certificate?.['fingerprint'], ending.facts.fingerprint256);
      assert.deepEqual([certificate['notice'], certificate['delegates']], [7, ['edge-1']]);

      agent.connection.close();
      await fleet.plain('edge-1');
      const { data: fallen } = (await receiver.next('delegate.downgraded')).payload;
      assert.equal((fallen['delegates'] as { name: string }[])[0]?.name, 'edge-1');

      await rig.upload('application/x-pem-file', await fleet.authority.crl([ending], { number: 1 }));
      await rig.upload('application/x-pem-file', await fleet.authority.crl([], { number: 2 }));
      const { data: alarm } = (await receiver.next('crl.suspicious')).payload;
      assert.deepEqual([alarm['code'], alarm['issuer']], ['CRL_SHORTER', 'CN=kinds CA']);

      const next = await TestAuthority.create('next CA');
      await rig.must('POST', 'authorities', { caCertificates: next.certificatePem });
      const { data: changed } = (await receiver.next('endpoint.changed')).payload;
      assert.deepEqual(changed['authorities'], {
        added: [{ subject: 'CN=next CA', fingerprint: next.pair.facts.fingerprint256 }],
        removed: [],
      });
      const certificates = await rig.must('GET', 'certificates');
      const [leaf] = certificates.body['resource'] as unknown as ClientCertificate[];
      assert.deepEqual([leaf?.daysLeft, leaf?.authority?.subject], [4, 'CN=kinds CA']);
    },
  );

  managerTest('webhooks are tested, filtered by event, removed, and refused when they lead inside', async (t, dev) => {
    const rig = await PolicyRig.create(t, dev, 'managed');
    const receiver = await WebhookReceiver.start(t);
    const added = await rig.must('POST', 'webhooks', { url: receiver.url(), events: ['delegate.downgraded'] });
    const uuid = String(added.body['resource']?.['uuid']);
    await rig.must('PATCH', 'endpoint', { mode: 'STRICT' });
    const queued = await rig.must('POST', `webhooks/${uuid}/test`);
    assert.equal(String(queued.body['resource']?.['state']), 'WAITING');
    await receiver.next('webhook.test');
    const delivered = await eventually('the outcome', async () => {
      const [latest] = (await rig.must('GET', `webhooks/${uuid}/deliveries`)).body[
        'resource'
      ] as unknown as WebhookDelivery[];
      return latest?.state === 'DELIVERED' && latest;
    });
    assert.deepEqual([delivered.attempts, delivered.status, delivered.error], [1, 200, null]);
    assert.equal(receiver.of('endpoint.changed').length, 0);

    for (const url of [
      'https://10.0.0.1/',
      'https://169.254.169.254/latest',
      'http://example.com/',
      'https://a:b@example.com/',
    ]) {
      const refused = await rig.call('POST', 'webhooks', { url });
      assert.equal(String(refused.body['code']), 'INVALID_REQUEST', url);
    }
    const unknown = await rig.call('POST', 'webhooks', { url: receiver.url(), events: ['account.created'] });
    assert.equal(unknown.status, 400);
    for (let more = 1; more < 10; more += 1) await rig.must('POST', 'webhooks', { url: receiver.url() });
    assert.equal(String((await rig.call('POST', 'webhooks', { url: receiver.url() })).body['code']), 'CONFLICT');

    await rig.must('DELETE', `webhooks/${uuid}`);
    assert.equal(String((await rig.call('DELETE', `webhooks/${uuid}`)).body['code']), 'ENTITY_NOT_FOUND');
    const events = await Promise.all(['webhook.created', 'webhook.deleted'].map((action) => rig.audit(action)));
    assert.deepEqual(
      events.map(({ length }) => length),
      [10, 1],
    );
    assert.equal(JSON.stringify(events).includes('/hook'), false, 'paths of receivers are their secrets');
  });

  managerTest("another account's webhook does not exist", async (t, dev) => {
    const rig = await PolicyRig.create(t, dev, 'mine');
    const receiver = await WebhookReceiver.start(t);
    const added = await rig.must('POST', 'webhooks', { url: receiver.url() });
    const uuid = String(added.body['resource']?.['uuid']);
    const { id, adminKey } = rig.neighbour;
    for (const [method, rest] of [
      ['DELETE', ''],
      ['POST', '/test'],
      ['GET', '/deliveries'],
    ] as const) {
      const path = `/ng/api/agent/mtls/webhooks/${uuid}${rest}`;
      const own = await dev.api(method, `${path}?accountIdentifier=${id}`, undefined, adminKey);
      assert.equal(String(own.body['code']), 'ENTITY_NOT_FOUND', path);
      const named = await dev.api(method, `${path}?accountIdentifier=mine`, undefined, adminKey);
      assert.equal(String(named.body['code']), 'NG_ACCESS_DENIED', path);
    }
    const listed = await dev.must('GET', `/ng/api/agent/mtls/webhooks?accountIdentifier=${id}`, undefined, adminKey);
    assert.deepEqual(listed, []);
    await rig.must('PATCH', 'endpoint', { mode: 'STRICT' });
    await receiver.next('endpoint.changed');
  });

  managerTest('tests are bounded: nobody else is flooded with them', async (t, dev) => {
    const rig = await PolicyRig.create(t, dev, 'bounded');
    const receiver = await WebhookReceiver.start(t);
    const added = await rig.must('POST', 'webhooks', { url: receiver.url() });
    const uuid = String(added.body['resource']?.['uuid']);
    for (let test = 0; test < 10; test += 1) await rig.must('POST', `webhooks/${uuid}/test`);
    const refused = await rig.call('POST', `webhooks/${uuid}/test`);
    assert.equal(refused.status, 429);
    await rig.must('DELETE', `webhooks/${uuid}`);
    const again = String((await rig.must('POST', 'webhooks', { url: receiver.url() })).body['resource']?.['uuid']);
    assert.equal((await rig.call('POST', `webhooks/${again}/test`)).status, 429, 'another webhook is no way around it');
  });
});
