import type { ReadinessRow } from '@sallyport/protocol';

const DAY_MS = 86_400_000;
const SOON_DAYS = 30;

/** One line that says what to do about a delegate. `url` is where delegates on mTLS connect to. */
export function remedyOf(row: Omit<ReadinessRow, 'remedy'>, url: string, now: number): string {
  switch (row.state) {
    case 'NOT_SEEN':
      return `Not seen since ${day(row.lastSeen)}: start it, or forget it (sallyport delegate delete ${row.delegateId}).`;
    case 'ON_MTLS':
      return onMtls(row, now);
    case 'INVALID_CERTIFICATE':
      return invalid(row, now);
    case 'PLAIN_AFTER_MTLS':
      return backToMtls(row, url, now);
    case 'PLAIN':
      return `Give it a client certificate and set MANAGER_HOST_AND_PORT=${url}.${leaving(row)}`;
  }
}

function onMtls({ refusal, certificate }: Omit<ReadinessRow, 'remedy'>, now: number): string {
  if (refusal !== null) {
    return `Its connection holds, but another certificate of its name was refused (${refusal.reason}): ${refusal.remedy}`;
  }
  const days = certificate === null ? Infinity : Math.floor((certificate.notAfter - now) / DAY_MS);
  return days < SOON_DAYS ? `Renew its certificate: it expires in ${days} days.` : 'Nothing to do.';
}

function invalid(row: Omit<ReadinessRow, 'remedy'>, now: number): string {
  const { certificate, refusal, transport } = row;
  if (transport !== 'MTLS' || certificate === null || certificate.notAfter > now) {
    return `${named(row)}${refusal?.remedy ?? ''}`;
  }
  return `Its certificate expired on ${day(certificate.notAfter)} (${ago(now - certificate.notAfter)}): renew it.${leaving(row)}`;
}

function ago(milliseconds: number): string {
  const days = Math.floor(milliseconds / DAY_MS);
  return days === 0 ? 'less than a day ago' : `${days} ${days === 1 ? 'day' : 'days'} ago`;
}

function backToMtls(row: Omit<ReadinessRow, 'remedy'>, url: string, now: number): string {
  const { certificate, lastOnMtls } = row;
  const until = lastOnMtls === null ? '' : ` It was on mTLS until ${day(lastOnMtls)}.`;
  if (certificate !== null && certificate.notAfter <= now) {
    return `Its certificate expired on ${day(certificate.notAfter)}: renew it and set MANAGER_HOST_AND_PORT=${url}.${until}${leaving(row)}`;
  }
  return `Set MANAGER_HOST_AND_PORT back to ${url} and check its client certificate settings.${until}${leaving(row)}`;
}

const named = ({ refusal }: Omit<ReadinessRow, 'remedy'>): string =>
  refusal?.matchedBy === 'NAME' ? 'If the refused certificate is its own: ' : '';

const leaving = ({ connected, delegateId }: Omit<ReadinessRow, 'remedy'>): string =>
  connected ? '' : ` If it does not come back, forget it (sallyport delegate delete ${delegateId}).`;

const day = (at: number): string => new Date(at).toISOString().slice(0, 10);
