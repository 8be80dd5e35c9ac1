import type { CaAuthority } from '@sallyport/trust';
import type { Transaction } from 'kysely';
import type { Schema } from '../database/schema.ts';
import { authoritiesOf } from '../endpoints/authorities.ts';
import type { EndpointChanged } from '../endpoints/endpoint-changed.ts';
import type { CrlNotice } from '../revocation/crl-ageing.ts';
import type { CrlAlarm } from '../revocation/crl-service.ts';
import type { Outbox, WebhookEvent } from './outbox.ts';

// News that come one at a time, and are put on record in the transaction that they are of.

/** What hears of a change and puts what is to be told of it into the outbox. */
export function toOutbox<T>(outbox: Outbox, eventOf: (news: T) => WebhookEvent | null) {
  return async (transaction: Transaction<Schema>, news: T): Promise<void> => {
    const event = eventOf(news);
    if (event !== null) await outbox.put(transaction, event);
  };
}

export function crlAgeingNews({ accountId, at, issuer, lifePassed, nextUpdate }: CrlNotice): WebhookEvent {
  return { accountId, at, type: 'crl.ageing', data: { issuer, lifePassed, nextUpdate } };
}

export function crlAlarmNews({ accountId, at, issuer, warning }: CrlAlarm): WebhookEvent {
  const { code, message } = warning;
  return { accountId, at, type: 'crl.suspicious', data: { issuer, code, message } };
}

/** What a change did to mode, name and CA certificates, and who made it; null when it did nothing to them. */
export function endpointNews({ accountId, action, actor, at, before, after }: EndpointChanged): WebhookEvent | null {
  const mode = { before: before?.mode ?? null, after: after?.mode ?? null };
  const fqdn = { before: before?.fqdn ?? null, after: after?.fqdn ?? null };
  const [had, has] = [authoritiesOf(before?.caCertificates ?? ''), authoritiesOf(after?.caCertificates ?? '')];
  const authorities = { added: without(has, had), removed: without(had, has) };
  const isSame =
    mode.before === mode.after &&
    fqdn.before === fqdn.after &&
    authorities.added.length === 0 &&
    authorities.removed.length === 0;
  if (isSame) return null;
  return { accountId, at, type: 'endpoint.changed', data: { action, actor, mode, fqdn, authorities } };
}

function without(authorities: readonly CaAuthority[], others: readonly CaAuthority[]) {
  const known = new Set(others.map(({ fingerprint256 }) => fingerprint256));
  return authorities
    .filter(({ fingerprint256 }) => !known.has(fingerprint256))
    .map(({ subject, fingerprint256 }) => ({ subject, fingerprint: fingerprint256 }));
}
