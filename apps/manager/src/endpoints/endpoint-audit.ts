import type { Kysely } from 'kysely';
import { AuditStore } from '../audit/audit-store.ts';
import type { Schema } from '../database/schema.ts';
import { authoritiesOf } from './authorities.ts';
import type { EndpointChanged } from './endpoint-changed.ts';

/** Puts a change on record: by mode, name and the CA certificates' fingerprints, never by their text. */
export async function recordChange(database: Kysely<Schema>, changed: EndpointChanged): Promise<void> {
  const { accountId, action, actor, before, after } = changed;
  const endpoint = after ?? before;
  if (endpoint === null) return;
  const { uuid, fqdn, mode, revision } = endpoint;
  const newBundle = after !== null && before?.caCertificates !== after.caCertificates;
  const authorities = newBundle
    ? authoritiesOf(after.caCertificates).map(({ subject, fingerprint256 }) => ({
        subject,
        fingerprint: fingerprint256,
      }))
    : undefined;
  await new AuditStore(database).append({
    ...{ accountId, actor, action, subject: uuid, at: new Date(changed.at) },
    details: { fqdn, mode, revision, ...(authorities !== undefined && { authorities }) },
  });
}
