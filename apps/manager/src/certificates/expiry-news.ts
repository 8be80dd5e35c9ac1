import { fleetOf } from '../delegates/fleet.ts';
import { ACCOUNTS_AT_ONCE, type News } from '../webhooks/teller.ts';
import { CertificateStore, type SeenCertificate } from './certificate-store.ts';
import { daysLeft, nextNoticeAt, noticeReached } from './expiry-notices.ts';

const MOST_AT_ONCE = 1_000;
const MOST_SHOWN = 50;
const MOST_NAMES = 20;

interface Expiring {
  readonly seen: SeenCertificate;
  readonly days: number;
  readonly delegates: readonly string[];
}

/** Tells of certificates that come to their end while a delegate depends on them; of each once for each number of days. */
export const expiryNews: News = {
  type: 'certificate.expiring',

  async waiting(database, now, justTold) {
    const rows = await database
      .selectFrom('client_certificates')
      .select('account_id')
      .distinct()
      .where('next_notice_at', '<=', now)
      .where('account_id', 'not in', justTold)
      .limit(ACCOUNTS_AT_ONCE)
      .execute();
    return rows.map(({ account_id }) => account_id);
  },

  async take(transaction, accountId, now) {
    const store = new CertificateStore(transaction);
    const users = new Map<string, string[]>();
    for (const { name, mtls } of await fleetOf(transaction, accountId, now)) {
      if (mtls === null) continue;
      const { fingerprint } = mtls.certificate;
      users.set(fingerprint, [...(users.get(fingerprint) ?? []), name]);
    }
    const expiring: Expiring[] = [];
    for (const seen of await store.dueForNotice(accountId, now, MOST_AT_ONCE)) {
      const { certificate } = seen;
      const days = noticeReached(certificate, now);
      if (!(await store.takeNotice(seen, nextNoticeAt(certificate, days))) || days === null) continue;
      // Nobody comes with it any more: it was renewed in time, or its delegate is gone.
      const delegates = users.get(certificate.fingerprint);
      // Nor is there anything left to expire of one that has: its delegate is refused by now, and that is told.
      if (certificate.notAfter <= now) continue;
      if (delegates !== undefined) expiring.push({ seen, days, delegates: [...new Set(delegates)] });
    }
    if (expiring.length === 0) return null;
    expiring.sort((a, b) => a.seen.certificate.notAfter - b.seen.certificate.notAfter);
    return {
      certificates: expiring.slice(0, MOST_SHOWN).map(({ seen, days, delegates }) => ({
        ...seen.certificate,
        notice: days,
        daysLeft: daysLeft(seen.certificate, now),
        authority: seen.anchor,
        delegates: delegates.slice(0, MOST_NAMES),
        moreDelegates: Math.max(delegates.length - MOST_NAMES, 0),
      })),
      more: Math.max(expiring.length - MOST_SHOWN, 0),
    };
  },

  tidy: (database, now) => new CertificateStore(database).forgetUnused(now),
};
