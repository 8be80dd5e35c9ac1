import type { Kysely } from 'kysely';
import type { Schema } from '../database/schema.ts';
import { PolicySource } from '../revocation/policy-source.ts';
import { EndpointStore } from './endpoint-store.ts';
import type { EndpointSource } from './trust-directory.ts';

/** What the directory keeps in memory, from the database. */
export function trustSource(database: Kysely<Schema>): EndpointSource {
  const endpoints = new EndpointStore(database);
  const policies = new PolicySource(database);
  return {
    byAccount: (accountId) => endpoints.byAccount(accountId),
    byFqdn: (fqdn) => endpoints.byFqdn(fqdn),
    policyOf: (accountId) => policies.policyOf(accountId),
  };
}
