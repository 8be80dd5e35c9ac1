import type { Explanation } from '@sallyport/trust';
import type { ConnectionIdentity } from '../gateway/live-connections.ts';
import type { AccountPolicy } from './account-policy.ts';

/**
 * Whether a delegate of this name may come by this connection: null, or why not. A pin that a delegate without mTLS
 * could pass by would pin nothing: while an account is LOOSE, anybody with a token could come plain under that name.
 */
export function judgePin(pins: AccountPolicy['pins'], name: string, identity: ConnectionIdentity): Explanation | null {
  const pinned = pins.get(name);
  if (pinned === undefined) return null;
  const certificate = identity.listener === 'mtls' ? identity.certificate : null;
  if (certificate !== null && pinned.has(certificate.fingerprint)) return null;
  const presented =
    certificate === null
      ? 'came without mTLS'
      : `came with "${certificate.subject}" (SHA-256 fingerprint ${certificate.fingerprint})`;
  return {
    reason: 'IDENTITY_NOT_ALLOWED',
    message: `The delegate "${name}" is pinned to another client certificate and ${presented}.`,
    remedy: `Give the delegate the certificate that it is pinned to; if this one is right, pin it (sallyport delegate pin).`,
  };
}
