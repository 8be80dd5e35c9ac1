import type { Crl } from '@sallyport/protocol';
import { isOlder } from '@sallyport/trust';
import type { EndpointWarning } from '../endpoints/endpoint-service.ts';
import type { StoredCrl } from './crl-store.ts';

/** What looks wrong about a list beside the one that it replaces: what was revoked may be accepted again. */
export function alarmsOf(crl: StoredCrl, last: StoredCrl | null): readonly EndpointWarning[] {
  if (last === null) return [];
  const subject = crl.issuer;
  const alarms: EndpointWarning[] = [];
  if (isOlder(crl, last)) {
    const message = `The CRL of "${subject}" of ${crl.thisUpdate.toISOString()} took the place of a newer one, of ${last.thisUpdate.toISOString()}: certificates that were revoked in between are accepted again.`;
    alarms.push({ code: 'CRL_OLDER', message, subject });
  }
  if (crl.entries < last.entries) {
    const message = `The CRL of "${subject}" lists ${crl.entries} certificates, the one before listed ${last.entries}. Certificates that have expired may be left out; check that no others are missing.`;
    alarms.push({ code: 'CRL_SHORTER', message, subject });
  }
  return alarms;
}

/** Of a list that was refused because it is older than the one in use. */
export function refusedOlder({ issuer: subject, thisUpdate }: StoredCrl, last: StoredCrl): EndpointWarning {
  const message = `A CRL of "${subject}" of ${thisUpdate.toISOString()} was refused: it is older than the one in use, of ${last.thisUpdate.toISOString()}. If nobody of yours sent it, somebody tries to have revoked certificates accepted again.`;
  return { code: 'CRL_OLDER_REFUSED', message, subject };
}

/** What is to be said about a list today. */
export function warningsOf({
  issuer: subject,
  state,
  nextUpdate,
  usedUntil,
  lifePassed,
  ...crl
}: Crl): readonly EndpointWarning[] {
  const [end, last] = [nextUpdate, usedUntil].map((at) => new Date(at).toISOString());
  const warnings: EndpointWarning[] = [];
  const warn = (code: string, message: string) => void warnings.push({ code, message, subject });
  if (state === 'EXPIRED') {
    warn(
      'CRL_EXPIRED',
      `The CRL of "${subject}" expired at ${end}: the CA's clients are refused. Upload the current one.`,
    );
  } else if (state === 'STALE') {
    warn('CRL_STALE', `The CRL of "${subject}" expired at ${end} and is used until ${last}. Upload the current one.`);
  } else if (lifePassed >= 80) {
    warn(
      'CRL_AGEING',
      `${lifePassed} % of the life of the CRL of "${subject}" has passed; it ends at ${end}. Upload the next one.`,
    );
  }
  if (crl.namesDistributionPoint) {
    warn(
      'CRL_DISTRIBUTION_POINT',
      `The CRL of "${subject}" names a distribution point. If the CA spreads its revocations over several lists, this one alone is not enough.`,
    );
  }
  if (!crl.inBundle) {
    warn(
      'CRL_ISSUER_NOT_IN_BUNDLE',
      `The CA "${subject}" is not in the endpoint's bundle. Its CRL still counts where the CA comes as an intermediate; delete it when that is over.`,
    );
  }
  return warnings;
}
