import type { Crl, CrlPolicy, CrlPolicyChange, CrlState } from '@sallyport/protocol';
import { SallyportError } from '@sallyport/protocol';
import { isOlder, publicKeyHash, shareOfLife, usableUntil } from '@sallyport/trust';
import type { Kysely, Transaction } from 'kysely';
import type { Logger } from 'pino';
import { describePrincipal, type Principal } from '../access/principal.ts';
import { type AuditAction, AuditStore } from '../audit/audit-store.ts';
import type { Bus } from '../bus/bus.ts';
import type { Clock } from '../clock.ts';
import type { Schema } from '../database/schema.ts';
import { authoritiesOf } from '../endpoints/authorities.ts';
import type { EndpointService, EndpointWarning } from '../endpoints/endpoint-service.ts';
import { EndpointStore, type MtlsEndpoint } from '../endpoints/endpoint-store.ts';
import { found } from '../endpoints/endpoint-writer.ts';
import { nextNoticeAt } from './crl-notices.ts';
import { CrlParts } from './crl-parts.ts';
import { CrlStore, ruleOf, type StoredCrl } from './crl-store.ts';
import { readUpload, type UploadedCrl } from './crl-upload.ts';
import { alarmsOf, refusedOlder, warningsOf } from './crl-warnings.ts';

export interface CrlCollaborators {
  readonly database: Kysely<Schema>;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly endpoints: Pick<EndpointService, 'domainFor'>;
  /** Runs in the transaction that puts an upload on record that looks wrong: older or shorter than the list before it. */
  readonly onAlarm: (transaction: Transaction<Schema>, alarm: CrlAlarm) => Promise<void>;
}

export interface CrlAlarm {
  readonly accountId: string;
  readonly issuer: string;
  readonly warning: EndpointWarning;
  readonly at: number;
}

export interface CrlReport {
  readonly crls: readonly Crl[];
  readonly policy: CrlPolicy;
  readonly warnings: readonly EndpointWarning[];
}

/** Revoked serial numbers of one account, in bytes: a million of 16. They are held in memory while the account is in use. */
const MOST_ACCOUNT_BYTES = 16 * 1024 * 1024;

export class CrlService {
  readonly #parts: CrlCollaborators;

  constructor(parts: CrlCollaborators) {
    this.#parts = parts;
  }

  /**
   * Takes the lists of an upload, all of them or none. When it resolves, whom they revoke has been cut off. Throws
   * INVALID_CRL, and CONFLICT for a list that is older than the one it would replace, unless forced; the attempt raises
   * the alarm all the same.
   */
  async put(accountId: string, upload: Uint8Array, force: boolean, by: Principal): Promise<CrlReport> {
    const { database, bus, clock, logger, endpoints } = this.#parts;
    await endpoints.domainFor(accountId);
    const { caCertificates } = await this.#endpoint(accountId);
    const expiredLists = ruleOf(await new CrlStore(database).policy(accountId));
    const now = clock.now();
    const authorities = authoritiesOf(caCertificates);
    const uploaded = await readUpload(upload, { authorities, expiredLists, force, now });
    const actor = describePrincipal(by);
    const parts = new CrlParts(database);
    for (const { digest, list } of uploaded) await parts.write(accountId, digest, list.serials.encoded, now.getTime());
    const store = async (transaction: Transaction<Schema>): Promise<readonly EndpointWarning[]> => {
      const endpoint = found(accountId, await new EndpointStore(transaction).lock(accountId));
      if (endpoint.caCertificates !== caCertificates) {
        throw new SallyportError('CONFLICT', "The endpoint's CA bundle was changed while the CRL was being read.", {
          remedy: 'Send the CRL again.',
        });
      }
      const crls = new CrlStore(transaction);
      const before = await crls.ofAccount(accountId);
      const alarms: EndpointWarning[] = [];
      const after = new Map(before.map((crl) => [crl.issuerKey, crl]));
      for (const one of uploaded) {
        const stored = toStored(one, accountId, now, actor);
        const last = after.get(stored.issuerKey) ?? null;
        if (last !== null && isOlder(stored, last) && !force) throw new OlderList(stored, last);
        after.set(stored.issuerKey, stored);
        const { number, digest, entries, thisUpdate, nextUpdate } = stored;
        const details = { number, entries, digest, thisUpdate, nextUpdate };
        await this.#record(transaction, accountId, 'crl.uploaded', stored.issuer, actor, details);
        for (const warning of alarmsOf(stored, last)) {
          alarms.push(warning);
          await this.#alarm(transaction, stored, warning, actor);
        }
        await crls.put(stored, nextNoticeAt(stored, null));
        await new CrlParts(transaction).replace(stored, last);
      }
      checkWeight(accountId, [...after.values()]);
      return alarms;
    };
    const warnings = await bus.commit({ type: 'trust-changed', accountId }, store).catch(async (error: unknown) => {
      if (!(error instanceof OlderList)) throw error;
      await this.#tellOfRefused(error, actor);
      throw older(error.list, error.last);
    });
    for (const { code, message } of warnings) logger.warn({ accountId, code }, message);
    const report = await this.list(accountId);
    return { ...report, warnings: [...warnings, ...report.warnings] };
  }

  async list(accountId: string): Promise<CrlReport> {
    const { database, clock, endpoints } = this.#parts;
    await endpoints.domainFor(accountId);
    const store = new CrlStore(database);
    const policy = await store.policy(accountId);
    const stored = await store.ofAccount(accountId);
    const endpoint = await new EndpointStore(database).byAccount(accountId);
    const trusted = new Set(authoritiesOf(endpoint?.caCertificates ?? '').map(publicKeyHash));
    const crls = stored.map((crl) => toCrl(crl, policy, trusted.has(crl.issuerKey), clock.now()));
    return { crls, policy, warnings: crls.flatMap(warningsOf) };
  }

  /** `issuer` is the list's issuer key, its key id, or the fingerprint of its CA. Throws ENTITY_NOT_FOUND, and CONFLICT when it means several. */
  async delete(accountId: string, issuer: string, by: Principal): Promise<void> {
    const { bus, endpoints } = this.#parts;
    await endpoints.domainFor(accountId);
    const wanted = issuer.replaceAll(':', '').toLowerCase();
    await bus.commit({ type: 'trust-changed', accountId }, async (transaction) => {
      const crls = new CrlStore(transaction);
      const meant = (await crls.ofAccount(accountId)).filter(({ issuerKey, issuerKeyId, authority }) =>
        [issuerKey, issuerKeyId, authority].includes(wanted),
      );
      const [crl, another] = meant;
      if (crl === undefined) {
        throw new SallyportError(
          'ENTITY_NOT_FOUND',
          `The account has no CRL of the issuer '${issuer.slice(0, 128)}'.`,
          {
            remedy: 'Name the issuerKey that the list of CRLs shows.',
          },
        );
      }
      if (another !== undefined) {
        throw new SallyportError('CONFLICT', `Several CRLs have the key id '${wanted}'.`, {
          remedy: 'Name the issuerKey.',
        });
      }
      await crls.delete(accountId, crl.issuerKey);
      await new CrlParts(transaction).delete(crl);
      const { number, entries, digest } = crl;
      await this.#record(transaction, accountId, 'crl.deleted', crl.issuer, describePrincipal(by), {
        number,
        entries,
        digest,
      });
    });
  }

  async policy(accountId: string): Promise<CrlPolicy> {
    await this.#parts.endpoints.domainFor(accountId);
    return new CrlStore(this.#parts.database).policy(accountId);
  }

  /** When it resolves, connections that hold by the new rule only, or no longer, have been judged by it. */
  async changePolicy(accountId: string, change: CrlPolicyChange, by: Principal): Promise<CrlPolicy> {
    const { bus, endpoints } = this.#parts;
    await endpoints.domainFor(accountId);
    return bus.commit({ type: 'trust-changed', accountId }, async (transaction) => {
      const store = new CrlStore(transaction);
      const policy = merged(await store.policy(accountId), change);
      await store.putPolicy(accountId, policy);
      await this.#record(transaction, accountId, 'crl-policy.updated', accountId, describePrincipal(by), { ...policy });
      return policy;
    });
  }

  /** Whoever replays an old list wants revoked certificates back: said once for each list, however often it is sent. */
  async #tellOfRefused({ list, last }: OlderList, actor: string): Promise<void> {
    const { database, logger } = this.#parts;
    const { accountId, digest } = list;
    const warning = refusedOlder(list, last);
    const told = await database.transaction().execute(async (transaction) => {
      // One at a time for an account, so that two uploads of one list at once are not two alarms.
      await new EndpointStore(transaction).lock(accountId);
      if (await new AuditStore(transaction).has(accountId, 'crl.suspicious', 'refused', digest)) return false;
      await this.#alarm(transaction, list, warning, actor, { refused: digest });
      return true;
    });
    if (told) logger.warn({ accountId, code: warning.code }, warning.message);
  }

  async #alarm(
    transaction: Transaction<Schema>,
    { accountId, issuer }: StoredCrl,
    warning: EndpointWarning,
    actor: string,
    more: { readonly refused?: string } = {},
  ): Promise<void> {
    await this.#record(transaction, accountId, 'crl.suspicious', issuer, actor, { ...warning, ...more });
    await this.#parts.onAlarm(transaction, { accountId, issuer, warning, at: this.#parts.clock.now().getTime() });
  }

  async #endpoint(accountId: string): Promise<MtlsEndpoint> {
    return found(accountId, await new EndpointStore(this.#parts.database).byAccount(accountId));
  }

  async #record(
    transaction: Transaction<Schema>,
    accountId: string,
    action: AuditAction,
    subject: string,
    actor: string,
    details: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    await new AuditStore(transaction).append({
      accountId,
      at: this.#parts.clock.now(),
      actor,
      action,
      subject,
      details,
    });
  }
}

function merged(before: CrlPolicy, change: CrlPolicyChange): CrlPolicy {
  const { whenExpired = before.whenExpired, staleHours = whenExpired === 'REFUSE' ? 0 : before.staleHours } = change;
  if (change.whenExpired === undefined && change.staleHours === undefined) {
    throw new SallyportError('INVALID_REQUEST', 'The change of the CRL policy is empty.', {
      remedy: 'Send whenExpired (REFUSE or USE_STALE), staleHours, or both.',
    });
  }
  if (whenExpired === 'REFUSE' && staleHours !== 0) {
    throw new SallyportError('INVALID_REQUEST', `staleHours ${staleHours} means nothing with whenExpired REFUSE.`, {
      remedy: 'Leave staleHours out, or send whenExpired USE_STALE.',
    });
  }
  if (whenExpired === 'USE_STALE' && staleHours === 0) {
    throw new SallyportError('INVALID_REQUEST', 'USE_STALE needs the hours for which an expired CRL is still used.', {
      remedy: 'Send staleHours from 1 to 720.',
    });
  }
  return { whenExpired, staleHours };
}

function toStored({ list, authority, digest }: UploadedCrl, accountId: string, now: Date, actor: string): StoredCrl {
  const { issuer, issuerKeyId, number, thisUpdate, nextUpdate, namesDistributionPoint, serials } = list;
  return {
    ...{ accountId, issuerKey: publicKeyHash(authority), issuer, issuerKeyId, authority: authority.fingerprint256 },
    ...{ number, thisUpdate, nextUpdate, namesDistributionPoint, digest },
    ...{ entries: serials.size, serialsBytes: serials.encoded.length },
    ...{ uploadedAt: now.getTime(), uploadedBy: actor },
  };
}

/** Ends the transaction of an upload; what is told of it is written after that. */
class OlderList extends Error {
  readonly list: StoredCrl;
  readonly last: StoredCrl;

  constructor(list: StoredCrl, last: StoredCrl) {
    super(`the CRL of "${list.issuer}" is older than the one in use`);
    this.list = list;
    this.last = last;
  }
}

function older(crl: StoredCrl, last: StoredCrl): SallyportError {
  const when = ({ number, thisUpdate }: StoredCrl) =>
    `${number === null ? '' : `number ${number}, `}of ${thisUpdate.toISOString()}`;
  return new SallyportError(
    'CONFLICT',
    `The CRL of "${crl.issuer}" (${when(crl)}) is older than the one in use (${when(last)}): what was revoked in between would be accepted again.`,
    { remedy: "Send the CA's current CRL. If the CA was restored from a backup, force=true takes this one." },
  );
}

function checkWeight(accountId: string, crls: readonly StoredCrl[]): void {
  const bytes = crls.reduce((sum, { serialsBytes }) => sum + serialsBytes, 0);
  if (bytes <= MOST_ACCOUNT_BYTES) return;
  throw new SallyportError(
    'PAYLOAD_TOO_LARGE',
    `The CRLs of account '${accountId}' would hold ${bytes} bytes of serial numbers; ${MOST_ACCOUNT_BYTES} are allowed.`,
    {
      remedy:
        'Delete the CRLs of CAs that are no longer used, or have the CAs leave out certificates that have expired.',
    },
  );
}

function toCrl(crl: StoredCrl, policy: CrlPolicy, inBundle: boolean, now: Date): Crl {
  const usedUntil = usableUntil(crl, ruleOf(policy));
  const state: CrlState = now < crl.nextUpdate ? 'CURRENT' : now < usedUntil ? 'STALE' : 'EXPIRED';
  const { issuer, issuerKey, issuerKeyId, authority, number, thisUpdate, nextUpdate, entries, uploadedAt, uploadedBy } =
    crl;
  return {
    ...{ issuer, issuerKey, issuerKeyId, authority, inBundle, number, entries, uploadedAt, uploadedBy, state },
    thisUpdate: thisUpdate.getTime(),
    nextUpdate: nextUpdate.getTime(),
    usedUntil: usedUntil.getTime(),
    lifePassed: Math.floor(shareOfLife(crl, now) * 100),
    namesDistributionPoint: crl.namesDistributionPoint,
    fingerprint: crl.digest,
  };
}
