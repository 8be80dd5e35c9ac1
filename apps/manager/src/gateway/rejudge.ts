import { judgeTransport } from '@sallyport/trust';
import type { LiveEndpoint } from '../endpoints/trust-directory.ts';
import type { ConnectionIdentity, CutReason } from './live-connections.ts';

/**
 * Does an admitted connection still hold now that the account's trust is `endpoint`? Null: it does; otherwise why not.
 *
 * The chain is not verified again, that takes a handshake. A connection holds on to the CA that its chain ended at:
 * while that CA stands in the bundle, OpenSSL's verdict stands; when it is gone, or could not be told, the connection
 * is cut and the next handshake decides.
 */
export function rejudge(
  identity: ConnectionIdentity,
  accountId: string,
  endpoint: LiveEndpoint | null,
): CutReason | null {
  // An mTLS connection is judged by the account of its own endpoint only; on another account it never got past 401.
  if (identity.listener === 'mtls' && identity.accountId !== accountId) return null;
  const verdict = judgeTransport({ endpoint, authority: identity.authority });
  if (!verdict.admitted) return { code: 'INVALID_AGENT_MTLS_AUTHORITY', message: verdict.message };
  if (identity.listener === 'public') return null;
  const anchored = endpoint?.authorities.some((authority) => authority.fingerprint256 === identity.anchor) ?? false;
  return anchored
    ? null
    : {
        code: 'UNKNOWN_ISSUER',
        message: `the CA that ${identity.certificate.issuer} leads to is no longer in the endpoint's bundle`,
      };
}
