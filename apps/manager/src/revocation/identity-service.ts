import { type AllowedIdentity, type CutOff, type DelegatePin, SallyportError } from '@sallyport/protocol';
import { IdentityPinError, pinKey, readIdentityPin } from '@sallyport/trust';
import type { Kysely, Transaction } from 'kysely';
import { describePrincipal, type Principal } from '../access/principal.ts';
import { type AuditAction, AuditStore } from '../audit/audit-store.ts';
import type { Bus } from '../bus/bus.ts';
import type { Clock } from '../clock.ts';
import type { Schema } from '../database/schema.ts';
import { fleetOf } from '../delegates/fleet.ts';
import type { EndpointService, EndpointWarning } from '../endpoints/endpoint-service.ts';
import type { LiveConnections } from '../gateway/live-connections.ts';
import { IdentityStore } from './identity-store.ts';
import { pinWarnings } from './pin-warnings.ts';
import { cutOffByPins } from './pins-cut-off.ts';
import { readFingerprint, refuseControlCharacters } from './request-values.ts';

export interface IdentityCollaborators {
  readonly database: Kysely<Schema>;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly endpoints: Pick<EndpointService, 'domainFor'>;
  /** Resolves when what this replica has seen of delegates is in the database. */
  readonly settle: () => Promise<void>;
  readonly connections: Pick<LiveConnections, 'ofAccount'>;
}

export interface AllowedChange {
  readonly identities: readonly AllowedIdentity[];
  readonly cutOff: readonly CutOff[];
  /** Identities that no certificate can have. */
  readonly warnings: readonly EndpointWarning[];
}

/** Each account's pins are in memory while the account is in use. */
const MOST_PINNED = 10_000;

/** Which of its CAs' clients an account admits, and which delegates come with one certificate only. */
export class IdentityService {
  readonly #parts: IdentityCollaborators;

  constructor(parts: IdentityCollaborators) {
    this.#parts = parts;
  }

  async allowed(accountId: string): Promise<readonly AllowedIdentity[]> {
    await this.#parts.endpoints.domainFor(accountId);
    return new IdentityStore(this.#parts.database).allowed(accountId);
  }

  /** Replaces the whole set. When it resolves, nobody is connected who is not in it; an empty one admits everybody. */
  async allow(accountId: string, identities: readonly AllowedIdentity[], by: Principal): Promise<AllowedChange> {
    const { bus, clock, endpoints, connections, settle } = this.#parts;
    await endpoints.domainFor(accountId);
    const distinct = new Map(identities.map(readPin).map((pin) => [pinKey(pin), pin]));
    const pins = [...distinct.values()];
    const actor = describePrincipal(by);
    await settle();
    const cutOff = await bus.commit({ type: 'trust-changed', accountId }, async (transaction) => {
      const store = new IdentityStore(transaction);
      const before = await store.allowed(accountId);
      const fleet = await fleetOf(transaction, accountId, clock.now().getTime());
      const cut = cutOffByPins(fleet, connections.ofAccount(accountId), { before, after: pins });
      await store.putAllowed(accountId, pins, clock.now().getTime(), actor);
      const known = new Set(before.map(pinKey));
      await this.#record(transaction, accountId, 'allowed-identities.updated', accountId, actor, {
        added: pins.filter((pin) => !known.has(pinKey(pin))),
        removed: before.filter((pin) => !distinct.has(pinKey(pin))),
      });
      return cut;
    });
    return { identities: pins, cutOff, warnings: pinWarnings(pins) };
  }

  async pins(accountId: string): Promise<readonly DelegatePin[]> {
    await this.#parts.endpoints.domainFor(accountId);
    return new IdentityStore(this.#parts.database).pins(accountId);
  }

  /**
   * From now on the delegate comes over mTLS with one of these certificates only; without any named, with the one that it
   * came with last. When it resolves, it is not connected in another way. Throws CONFLICT when it never came with a
   * certificate, or its instances came with different ones.
   */
  async pin(
    accountId: string,
    delegateName: string,
    fingerprints: readonly string[] | undefined,
    by: Principal,
  ): Promise<DelegatePin> {
    const { bus, clock, endpoints, settle } = this.#parts;
    await endpoints.domainFor(accountId);
    refuseControlCharacters('The name of the delegate', delegateName);
    const named = fingerprints === undefined ? null : [...new Set(fingerprints.map(readFingerprint))];
    await settle();
    const createdBy = describePrincipal(by);
    return bus.commit({ type: 'trust-changed', accountId }, async (transaction) => {
      const store = new IdentityStore(transaction);
      const pins = await store.pins(accountId);
      if (pins.length >= MOST_PINNED && !pins.some((pin) => pin.delegateName === delegateName)) {
        throw new SallyportError(
          'CONFLICT',
          `Account '${accountId}' has ${MOST_PINNED} pinned delegates, the most there are.`,
          {
            remedy: 'Allow identities instead of pinning each delegate.',
          },
        );
      }
      const pinned = named ?? (await lastCertificate(transaction, accountId, delegateName, clock.now().getTime()));
      const pin = { delegateName, fingerprints: pinned, createdAt: clock.now().getTime(), createdBy };
      await store.putPin(accountId, pin);
      await this.#record(transaction, accountId, 'delegate.pinned', delegateName, createdBy, { fingerprints: pinned });
      return pin;
    });
  }

  /** Throws ENTITY_NOT_FOUND when it is not pinned. */
  async unpin(accountId: string, delegateName: string, by: Principal): Promise<void> {
    const { bus, endpoints } = this.#parts;
    await endpoints.domainFor(accountId);
    await bus.commit({ type: 'trust-changed', accountId }, async (transaction) => {
      if (!(await new IdentityStore(transaction).deletePin(accountId, delegateName))) {
        throw new SallyportError('ENTITY_NOT_FOUND', `The delegate '${delegateName}' is not pinned to a certificate.`);
      }
      await this.#record(transaction, accountId, 'delegate.unpinned', delegateName, describePrincipal(by), {});
    });
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

function readPin(identity: AllowedIdentity): AllowedIdentity {
  try {
    return readIdentityPin(identity);
  } catch (error) {
    if (error instanceof IdentityPinError) throw new SallyportError('INVALID_REQUEST', error.message);
    throw error;
  }
}

async function lastCertificate(
  database: Kysely<Schema>,
  accountId: string,
  delegateName: string,
  now: number,
): Promise<string[]> {
  const instances = (await fleetOf(database, accountId, now)).filter(({ name }) => name === delegateName);
  const connected = instances.filter((instance) => instance.connected && instance.transport === 'MTLS');
  const concerned = connected.length > 0 ? connected : instances;
  const [fingerprint, ...others] = new Set(concerned.flatMap(({ mtls }) => mtls?.certificate.fingerprint ?? []));
  if (fingerprint === undefined) {
    throw new SallyportError('CONFLICT', `The delegate '${delegateName}' has not come with a client certificate yet.`, {
      remedy: 'Connect it over mTLS first, or name the fingerprint of the certificate.',
    });
  }
  if (others.length > 0) {
    throw new SallyportError(
      'CONFLICT',
      `The instances of the delegate '${delegateName}' come with different certificates: ${[fingerprint, ...others].slice(0, 4).join(', ')}.`,
      { remedy: 'Name the fingerprints that it may come with, at most 4.' },
    );
  }
  return [fingerprint];
}
