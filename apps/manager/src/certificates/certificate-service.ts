import type { ClientCertificate } from '@sallyport/protocol';
import type { Kysely } from 'kysely';
import type { Clock } from '../clock.ts';
import type { Schema } from '../database/schema.ts';
import { type FleetMember, fleetOf } from '../delegates/fleet.ts';
import { authoritiesOf } from '../endpoints/authorities.ts';
import { EndpointStore } from '../endpoints/endpoint-store.ts';
import { CertificateStore, type SeenCertificate } from './certificate-store.ts';
import { DAY_MS, daysLeft } from './expiry-notices.ts';

export interface CertificateCollaborators {
  readonly database: Kysely<Schema>;
  readonly clock: Clock;
  /** Resolves when what this replica has seen of delegates is in the database. */
  readonly settle: () => Promise<void>;
}

export interface CertificateList {
  readonly certificates: readonly ClientCertificate[];
  /** Before the limit was applied. */
  readonly total: number;
}

/** Certificates that no delegate uses any more are shown for so long. */
const SHOWN_UNUSED_MS = 30 * DAY_MS;

/** The client certificates that an account's delegates come with. */
export class CertificateService {
  readonly #parts: CertificateCollaborators;

  constructor(parts: CertificateCollaborators) {
    this.#parts = parts;
  }

  /** Those that end first, first; with `withinDays` only those that end by then. */
  async list(accountId: string, limit: number, withinDays: number | null): Promise<CertificateList> {
    const { database, clock, settle } = this.#parts;
    await settle();
    const now = clock.now().getTime();
    const users = Map.groupBy(
      (await fleetOf(database, accountId, now)).filter(({ mtls }) => mtls !== null),
      ({ mtls }) => mtls?.certificate.fingerprint ?? '',
    );
    const endpoint = await new EndpointStore(database).byAccount(accountId);
    const subjects = new Map(
      authoritiesOf(endpoint?.caCertificates ?? '').map(({ fingerprint256, subject }) => [fingerprint256, subject]),
    );
    const certificates = (await new CertificateStore(database).ofAccount(accountId))
      .map((seen) => describe(seen, users.get(seen.certificate.fingerprint) ?? [], subjects, now))
      .filter(({ delegates, lastSeen }) => delegates.length > 0 || lastSeen >= now - SHOWN_UNUSED_MS)
      .filter(({ notAfter }) => withinDays === null || notAfter <= now + withinDays * DAY_MS);
    return { certificates: certificates.slice(0, limit), total: certificates.length };
  }
}

function describe(
  { certificate, anchor, firstSeen, lastSeen }: SeenCertificate,
  users: readonly FleetMember[],
  subjects: ReadonlyMap<string, string>,
  now: number,
): ClientCertificate {
  return {
    ...certificate,
    daysLeft: daysLeft(certificate, now),
    delegates: byName(users),
    firstSeen,
    lastSeen: Math.max(lastSeen, ...users.map(({ mtls }) => mtls?.at ?? 0)),
    authority: anchor === null ? null : { fingerprint: anchor, subject: subjects.get(anchor) ?? null },
  };
}

/** Instances of one name are one line. */
function byName(users: readonly FleetMember[]): ClientCertificate['delegates'] {
  const lines = new Map<string, ClientCertificate['delegates'][number]>();
  for (const { name, connected, transport, mtls } of users) {
    const known = lines.get(name);
    lines.set(name, {
      name,
      connected: (connected && transport === 'MTLS') || known?.connected === true,
      lastSeen: Math.max(mtls?.at ?? 0, known?.lastSeen ?? 0),
    });
  }
  return [...lines.values()];
}
