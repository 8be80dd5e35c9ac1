import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DevManager, eventually, TestAuthority } from '@sallyport/dev-env';
import type { WebhookDelivery } from '@sallyport/protocol';
import { issueServerCertificate } from '@sallyport/trust';
import { ConfigError } from '../src/config/config.ts';
import { WebhookReceiver } from './webhook-receiver.ts';

const PATH = '/ng/api/agent/mtls/webhooks';

test('an operator may open private addresses to webhooks, and name the CA of the receivers there', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-webhooks-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const { pair: authority, certificatePem } = await TestAuthority.create('Receivers CA');
  const caFile = join(folder, 'receivers-ca.crt');
  writeFileSync(caFile, certificatePem);
  const certificate = { authority, dnsNames: ['localhost'], ipAddresses: [], days: 2, now: new Date() };
  const receiver = await WebhookReceiver.start(t, await issueServerCertificate(certificate));

  const open = { SALLYPORT_WEBHOOK_PRIVATE_ADDRESSES: 'allow', SALLYPORT_WEBHOOK_CA_FILE: caFile };
  for (const [environment, outcome] of [
    [open, 'DELIVERED null'],
    [
      { ...open, SALLYPORT_WEBHOOK_CA_FILE: '' },
      "FAILED its certificate's CA is not trusted, or an intermediate certificate is missing",
    ],
    [{ SALLYPORT_WEBHOOK_CA_FILE: caFile }, 'FAILED localhost has no address that webhooks may connect to'],
  ] as const) {
    const dev = await DevManager.start({ environment });
    try {
      await dev.account('acme');
      const { uuid } = await dev.must('POST', `${PATH}?accountIdentifier=acme`, { url: receiver.url('localhost') });
      await dev.must('POST', `${PATH}/${uuid}/test?accountIdentifier=acme`);
      const { state, error } = await eventually('the outcome', async () => {
        const deliveries = await dev.must('GET', `${PATH}/${uuid}/deliveries?accountIdentifier=acme`);
        return (deliveries as unknown as WebhookDelivery[]).find((delivery) => delivery.state !== 'WAITING');
      });
      assert.equal(`${state} ${error}`, outcome);
    } finally {
      await dev.stop();
    }
  }
  assert.equal(receiver.received.length, 1);

  writeFileSync(caFile, 'no certificate');
  await assert.rejects(DevManager.start({ environment: open }), (error) => {
    assert.ok(error instanceof ConfigError);
    assert.match(error.message, /SALLYPORT_WEBHOOK_CA_FILE: cannot use .*receivers-ca\.crt/);
    return true;
  });
  const wrong = { SALLYPORT_WEBHOOK_PRIVATE_ADDRESSES: 'yes' };
  await assert.rejects(DevManager.start({ environment: wrong }), /"yes" is neither allow nor refuse/);
});
