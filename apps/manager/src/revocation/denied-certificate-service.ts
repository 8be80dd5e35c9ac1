import { randomUUID } from 'node:crypto';
import { type DeniedCertificateEntry, type DenyCertificateRequest, SallyportError } from '@sallyport/protocol';
import { looseName } from '@sallyport/trust';
import type { Kysely } from 'kysely';
import { describePrincipal, type Principal } from '../access/principal.ts';
import { AuditStore } from '../audit/audit-store.ts';
import type { Bus } from '../bus/bus.ts';
import type { Clock } from '../clock.ts';
import type { Schema } from '../database/schema.ts';
import { authoritiesOf } from '../endpoints/authorities.ts';
import type { EndpointService, EndpointWarning } from '../endpoints/endpoint-service.ts';
import { EndpointStore } from '../endpoints/endpoint-store.ts';
import { DeniedCertificateStore } from './denied-certificate-store.ts';
import { readFingerprint, refuseControlCharacters } from './request-values.ts';

export interface DeniedCertificateCollaborators {
  readonly database: Kysely<Schema>;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly endpoints: Pick<EndpointService, 'domainFor'>;
}

/** Each is looked at for every connection; whoever has more revokes by CRL. */
const MOST_DENIED = 10_000;

type Named = Pick<DeniedCertificateEntry, 'fingerprint' | 'issuer' | 'serialNumber'>;

/** Certificates that an account refuses at once, without waiting for its CA's next CRL. */
export class DeniedCertificateService {
  readonly #parts: DeniedCertificateCollaborators;

  constructor(parts: DeniedCertificateCollaborators) {
    this.#parts = parts;
  }

  async list(accountId: string): Promise<readonly DeniedCertificateEntry[]> {
    await this.#parts.endpoints.domainFor(accountId);
    return new DeniedCertificateStore(this.#parts.database).ofAccount(accountId);
  }

  /** When it resolves, nobody is connected with the certificate, or below it. One that is denied already stays as it is. */
  async add(
    accountId: string,
    request: DenyCertificateRequest,
    by: Principal,
  ): Promise<{ readonly entry: DeniedCertificateEntry; readonly warnings: readonly EndpointWarning[] }> {
    const { bus, clock, endpoints } = this.#parts;
    await endpoints.domainFor(accountId);
    const named = readNamed(request);
    const note = request.note ?? '';
    refuseControlCharacters('note', note);
    const actor = describePrincipal(by);
    const entry = await bus.commit({ type: 'trust-changed', accountId }, async (transaction) => {
      const store = new DeniedCertificateStore(transaction);
      const before = await store.ofAccount(accountId);
      const same = before.find((other) => isSame(other, named));
      if (same !== undefined) return same;
      if (before.length >= MOST_DENIED) {
        throw new SallyportError(
          'CONFLICT',
          `Account '${accountId}' denies ${MOST_DENIED} certificates, the most there are.`,
          {
            remedy: 'Have the CA revoke certificates and upload its CRL; take off those that have expired.',
          },
        );
      }
      const added = { uuid: randomUUID(), ...named, note, createdAt: clock.now().getTime(), createdBy: actor };
      await store.insert(accountId, added);
      await new AuditStore(transaction).append({
        ...{ accountId, at: clock.now(), actor, action: 'denied-certificate.added', subject: added.uuid },
        details: { ...named, note },
      });
      return added;
    });
    return { entry, warnings: await this.#warnings(accountId, entry) };
  }

  /** `identifier` is the entry's uuid or its fingerprint. Throws ENTITY_NOT_FOUND. */
  async remove(accountId: string, identifier: string, by: Principal): Promise<void> {
    const { bus, clock, endpoints } = this.#parts;
    await endpoints.domainFor(accountId);
    const fingerprint = identifier.replaceAll(':', '').toLowerCase();
    await bus.commit({ type: 'trust-changed', accountId }, async (transaction) => {
      const store = new DeniedCertificateStore(transaction);
      const entry = (await store.ofAccount(accountId)).find(
        (other) => other.uuid === identifier || other.fingerprint === fingerprint,
      );
      if (entry === undefined) {
        throw new SallyportError('ENTITY_NOT_FOUND', `No denied certificate '${identifier.slice(0, 128)}' was found.`, {
          remedy: 'Name the uuid or the fingerprint that the list of denied certificates shows.',
        });
      }
      await store.delete(accountId, entry.uuid);
      const { issuer, serialNumber, note } = entry;
      await new AuditStore(transaction).append({
        ...{
          accountId,
          at: clock.now(),
          actor: describePrincipal(by),
          action: 'denied-certificate.removed',
          subject: entry.uuid,
        },
        details: { fingerprint: entry.fingerprint, issuer, serialNumber, note },
      });
    });
  }

  /** A name that was misspelt denies nobody: that is to be noticed now, not when the certificate is used again. */
  async #warnings(accountId: string, { issuer }: DeniedCertificateEntry): Promise<readonly EndpointWarning[]> {
    if (issuer === null) return [];
    const endpoint = await new EndpointStore(this.#parts.database).byAccount(accountId);
    const authorities = authoritiesOf(endpoint?.caCertificates ?? '');
    if (authorities.some(({ subject }) => looseName(subject) === looseName(issuer))) return [];
    const message = `No CA of the endpoint's bundle is called "${issuer}". If it is no intermediate below one of them, nobody is denied: compare it with the issuer that the certificate shows.`;
    return [{ code: 'DENIED_ISSUER_UNKNOWN', message, subject: issuer }];
  }
}

function readNamed({ fingerprint, issuer, serialNumber }: DenyCertificateRequest): Named {
  if (fingerprint !== undefined && issuer === undefined && serialNumber === undefined) {
    return { fingerprint: readFingerprint(fingerprint), issuer: null, serialNumber: null };
  }
  if (fingerprint !== undefined || issuer === undefined || serialNumber === undefined) {
    throw new SallyportError(
      'INVALID_REQUEST',
      'A certificate is denied by its fingerprint, or by its issuer and serial number.',
      {
        remedy: 'Send fingerprint, or issuer and serialNumber together.',
      },
    );
  }
  refuseControlCharacters('issuer', issuer);
  const digits = serialNumber.replace(/^0x/i, '').replaceAll(':', '').toUpperCase();
  if (!/^[0-9A-F]{1,128}$/.test(digits)) {
    throw new SallyportError('INVALID_REQUEST', `'${serialNumber.slice(0, 80)}' is no serial number.`, {
      remedy: 'Send its hexadecimal digits, as "openssl x509 -serial" shows them.',
    });
  }
  return { fingerprint: null, issuer, serialNumber: canonicalSerial(digits) };
}

/** As certificates' facts have it: whole bytes, none of them a leading zero. */
function canonicalSerial(digits: string): string {
  const bytes = (digits.length % 2 === 0 ? digits : `0${digits}`).replace(/^(?:00)+/, '');
  return bytes === '' ? '0' : bytes;
}

function isSame(entry: DeniedCertificateEntry, { fingerprint, issuer, serialNumber }: Named): boolean {
  if (fingerprint !== null) return entry.fingerprint === fingerprint;
  return entry.serialNumber === serialNumber && looseName(entry.issuer ?? '') === looseName(issuer ?? '');
}
