import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeSecret, secretText, signedHeaders } from './signature.ts';

test('a message is signed as the Standard Webhooks specification shows it', () => {
  const secret = Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64');
  assert.deepEqual(signedHeaders('msg_p5jXN8AQM9LWM0D4loKWxJek', 1_614_265_330_999, '{"test": 2432232314}', secret), {
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  });
});

test('a secret is made anew each time, of 32 bytes, and shown as libraries read it', () => {
  const [one, two] = [makeSecret(), makeSecret()];
  assert.notDeepEqual(one, two);
  assert.equal(Buffer.from(secretText(one).replace('whsec_', ''), 'base64').equals(one), true);
  assert.equal(one.length, 32);
});
