import { createHmac, randomBytes } from 'node:crypto';

/** Bytes of a signing secret; the Standard Webhooks specification asks for 24 to 64. */
const SECRET_BYTES = 32;

export const makeSecret = (): Buffer => randomBytes(SECRET_BYTES);

/** How a secret is shown, once: `whsec_` and its base64, which is what verifying libraries take. */
export const secretText = (secret: Buffer): string => `whsec_${secret.toString('base64')}`;

/** The headers of one attempt. Id and time are signed with the body: neither can be exchanged. */
export function signedHeaders(id: string, at: number, body: string, secret: Buffer): Record<string, string> {
  const timestamp = String(Math.floor(at / 1000));
  const signature = createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}
