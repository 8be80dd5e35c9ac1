import type { AccountTarget, Arena, RevokingTarget } from '../gauntlet.ts';
import { revocationList } from '../revocation-lists.ts';
import { type Made, makeClient, type Tenant } from '../tenants.ts';

// What a tenant can do about a client whose key was stolen, or whom it never meant to admit.

/** The tenant revokes its own client. */
export async function revokeByList({ target }: Arena, { id, authority, client }: Tenant): Promise<void> {
  await (target as RevokingTarget).setRevocationLists(id, await revocationList(authority, [client]));
}

export function denyByFingerprint({ target }: Arena, { id, client }: Tenant): Promise<void> {
  return (target as AccountTarget).deny(id, { fingerprint: client.facts.fingerprint256 });
}

export function denyBySerial({ target }: Arena, { id, client }: Tenant): Promise<void> {
  const { issuer, serialNumber } = client.facts;
  return (target as AccountTarget).deny(id, { issuer, serialNumber });
}

/** The set has somebody else alone. */
export function allowSomebodyElse({ target }: Arena, { id }: Tenant): Promise<void> {
  return (target as AccountTarget).setIdentities(id, [{ type: 'SUBJECT', value: 'CN=somebody-else' }]);
}

/** A further client of the tenant's CA. */
export function another(tenant: Tenant, subject = 'another-client'): Promise<Made> {
  return makeClient({ subject, issuer: tenant.authority });
}

/** An empty list of the tenant's CA that expires soon, in force; when it does. */
export async function shortLived({ target }: Arena, { id, authority }: Tenant): Promise<Date> {
  // Lists know whole seconds, and a reload takes its time.
  const nextUpdate = new Date(Math.ceil(Date.now() / 1_000) * 1_000 + 2_000);
  await (target as RevokingTarget).setRevocationLists(id, await revocationList(authority, [], { nextUpdate }));
  return nextUpdate;
}
