import assert from 'node:assert/strict';
import { eventually, TestAuthority } from '@sallyport/dev-env';
import { onBothManagers } from './both-managers.ts';
import { FleetRig } from './fleet-rig.ts';
import { isSigned, WebhookReceiver } from './webhook-receiver.ts';

const managerTest = onBothManagers({ environment: { SALLYPORT_WEBHOOK_LOOPBACK_HTTP: 'allow' } });

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
