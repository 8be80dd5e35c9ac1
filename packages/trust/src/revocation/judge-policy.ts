import type { CertificateFacts } from '../certificate-facts.ts';
import type { Explanation } from '../explain-rejection.ts';
import type { IssuerPath, PathCertificate } from '../issuer-path.ts';
import { shorten, wordDate, wordDuration } from '../wording.ts';
import type { ClientPolicy, ExpiredListRule } from './client-policy.ts';
import { identityKeys, wordSans } from './identity-pins.ts';
import type { RevocationList } from './revocation-list.ts';

/** What a policy looks at of a client, kept for as long as its connection lives. */
export interface PolicySubject {
  readonly path: Pick<IssuerPath, 'certificates' | 'complete'>;
  readonly identityKeys: readonly string[];
  /** Its subject alternative names in words. */
  readonly names: string;
}

export function policySubject(leaf: CertificateFacts, { certificates, complete }: IssuerPath): PolicySubject {
  return { path: { certificates, complete }, identityKeys: identityKeys(leaf), names: wordSans(leaf) };
}

/**
 * Whether an account still admits a client whose certificate OpenSSL has verified: null, or why not. Pure. Every
 * certificate of its path is looked at, the CAs of the bundle included: whoever lies below a revoked or denied CA is
 * refused with it.
 */
export function judgePolicy(policy: ClientPolicy, subject: PolicySubject, now: Date): Explanation | null {
  const { path } = subject;
  const [leaf] = path.certificates;
  if (leaf === undefined) throw new TypeError('a path without a certificate');
  // A client that sends so many certificates that its path can't be told apart could hide a revoked one among them.
  if (!path.complete && (policy.lists.size > 0 || policy.denied.size > 0)) {
    return {
      reason: 'CLIENT_CERTIFICATE_REJECTED',
      message: `It can't be told which CAs lie above the client certificate ${quote(leaf)}: the client sent too many certificates, so none of them can be checked for revocation.`,
      remedy: 'Send the client certificate and the intermediates that it needs, nothing else.',
    };
  }
  const denied = path.certificates.find((certificate) => policy.denied.has(certificate));
  if (denied !== undefined) {
    return {
      reason: 'CERTIFICATE_DENIED',
      message: `${word(denied, leaf)} (serial number ${shorten(denied.serialNumber)}) is denied by this account.`,
      remedy:
        'Issue a new client certificate with a new key; or, if it was denied by mistake, take it off the denied certificates.',
    };
  }
  return judgeRevocation(policy, path.certificates, now) ?? judgeIdentity(policy, subject, leaf);
}

/** Whether a list says that a certificate of the path is revoked, or has expired and can't say. */
export function judgeRevocation(
  { lists, expiredLists }: Pick<ClientPolicy, 'lists' | 'expiredLists'>,
  path: readonly PathCertificate[],
  now: Date,
): Explanation | null {
  const [leaf] = path;
  if (lists.size === 0 || leaf === undefined) return null;
  let expired: RevocationList | null = null;
  for (const certificate of path) {
    for (const key of certificate.issuerKeys) {
      const list = lists.get(key);
      if (list === undefined) continue;
      // Revoked stays revoked, however old the list.
      if (list.serials.has(certificate.serialNumber)) return explainRevoked(certificate, leaf, list);
      // Negated on purpose: an unreadable date compares false and must refuse.
      if (!(now < usableUntil(list, expiredLists))) expired ??= list;
    }
  }
  return expired === null ? null : explainExpired(expired, expiredLists, now);
}

/** The moment from which a list is no longer used. */
export function usableUntil({ nextUpdate }: Pick<RevocationList, 'nextUpdate'>, rule: ExpiredListRule): Date {
  return rule.whenExpired === 'REFUSE' ? nextUpdate : new Date(nextUpdate.getTime() + rule.staleHours * HOUR);
}

/** When the policy will next refuse clients that it admits now: the first list to go out of use. Null: never by itself. */
export function nextDeadline({ lists, expiredLists }: ClientPolicy, now: Date): Date | null {
  let next: Date | null = null;
  for (const list of lists.values()) {
    const end = usableUntil(list, expiredLists);
    if (end > now && (next === null || end < next)) next = end;
  }
  return next;
}

const HOUR = 3_600_000;

function explainRevoked(certificate: PathCertificate, leaf: PathCertificate, list: RevocationList): Explanation {
  const source = `the CRL of "${shorten(list.issuer)}" (${list.number === null ? '' : `number ${list.number}, `}of ${wordDate(list.thisUpdate)})`;
  return {
    reason: 'CERTIFICATE_REVOKED',
    message: `${word(certificate, leaf)} (serial number ${shorten(certificate.serialNumber)}) is revoked by ${source}.`,
    remedy:
      certificate === leaf
        ? 'Issue a new client certificate with a new key and replace client.crt and client.key.'
        : 'Issue the client certificate from a CA that is not revoked, and take the revoked one out of client.crt and of the CA bundle.',
  };
}

function explainExpired(list: RevocationList, rule: ExpiredListRule, now: Date): Explanation {
  const ago = wordDuration(now.getTime() - list.nextUpdate.getTime());
  const grace = rule.whenExpired === 'REFUSE' ? '' : `, and was used for ${rule.staleHours} h more`;
  return {
    reason: 'CRL_EXPIRED',
    message: `The CRL of "${shorten(list.issuer)}" expired ${ago} ago (at ${wordDate(list.nextUpdate)})${grace}: whether the client certificate is revoked can't be told. Nothing is wrong with the certificate.`,
    remedy:
      "Upload the CA's current CRL (sallyport endpoint crl upload); to be admitted by an old one, set the account's CRL policy to USE_STALE.",
  };
}

function judgeIdentity(policy: ClientPolicy, subject: PolicySubject, leaf: PathCertificate): Explanation | null {
  if (policy.allowed.size === 0 || subject.identityKeys.some((key) => policy.allowed.has(key))) return null;
  return {
    reason: 'IDENTITY_NOT_ALLOWED',
    message: `The client certificate ${quote(leaf)} (${subject.names}) has none of the identities that this account allows.`,
    remedy:
      "Use a certificate with an allowed identity, or add this one's name, key or fingerprint to the allowed identities.",
  };
}

function word(certificate: PathCertificate, leaf: PathCertificate): string {
  return certificate === leaf
    ? `The client certificate ${quote(leaf)}`
    : `The CA certificate ${quote(certificate)} above the client certificate ${quote(leaf)}`;
}

function quote({ subject, serialNumber }: PathCertificate): string {
  return subject === '' ? `(no name, serial number ${shorten(serialNumber)})` : `"${shorten(subject)}"`;
}
