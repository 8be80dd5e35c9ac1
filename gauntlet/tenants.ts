import { type Made, make, makeCa, makeClient } from '../packages/trust/test/certificate-maker.ts';
import type { Certificate } from './certificate.ts';

/** A tenant with its own CA, and one client that it issued a certificate to. */
export interface Tenant {
  readonly id: string;
  readonly authority: Made;
  readonly client: Made;
  readonly certificate: Certificate;
}

/** The chain as a client sends it, with the key of its leaf (or another one, for a client that has none of it). */
export function show(leaf: Made, chain: readonly Made[] = [], key = leaf.keyPem): Certificate {
  return { certificatePem: [leaf, ...chain].map(({ pem }) => pem).join(''), privateKeyPem: key };
}

export async function newTenant(id: string, given?: Made): Promise<Tenant> {
  const authority = given ?? (await makeCa({ subject: `CA of ${id}` }));
  const client = await makeClient({ subject: `client-of-${id}`, issuer: authority });
  return { id, authority, client, certificate: show(client) };
}

export { type Made, make, makeCa, makeClient };
