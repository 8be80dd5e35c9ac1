import { asciiBytes, contextPrimitive } from '../../packages/trust/src/issuance/der-writer.ts';
import {
  type AccountTarget,
  type Arena,
  type Case,
  fail,
  type Identity,
  type Outcome,
  pass,
  type RevokingTarget,
} from '../gauntlet.ts';
import { revocationList } from '../revocation-lists.ts';
import { type Knock, knock } from '../talk.ts';
import { type Made, makeCa, makeClient, show, type Tenant } from '../tenants.ts';
import { dns, withSan } from './identity.ts';
import { another, denyByFingerprint, denyBySerial, revokeByList, shortLived } from './revoking.ts';

type Shown = Knock['certificate'];

/** Whether the tenant admits who must be, and nobody who must not. */
async function admitsOnly(
  { target }: Arena,
  tenant: Tenant,
  clients: { readonly refused: Shown; readonly admitted?: Shown },
): Promise<Outcome> {
  const at = (certificate: Shown): Knock => ({ tenant: tenant.id, ...(certificate !== undefined && { certificate }) });
  const refused = await knock(target, at(clients.refused));
  if (target.admits(refused.text, tenant.id)) return fail(`admitted: ${refused.seen}`);
  if (clients.admitted === undefined) return pass(refused.seen);
  const admitted = await knock(target, at(clients.admitted));
  if (!target.admits(admitted.text, tenant.id)) return fail(`somebody else is refused: ${admitted.seen}`);
  return pass(refused.seen);
}

const group = 'revocation';
const lists = ['revocation lists'] as const;
const denial = ['denial'] as const;
const expected = 'the revoked client is not admitted, another client of the same CA is';

/** Pinned by identity: who has the same text elsewhere in its certificate. */
async function pinned(arena: Arena, identity: Identity, impostor: (tenant: Tenant) => Promise<Made>): Promise<Outcome> {
  const tenant = await arena.tenant();
  const refused = await impostor(tenant);
  await (arena.target as AccountTarget).setIdentities(tenant.id, [identity]);
  const rightful = await makeClient({ subject: 'edge-1', issuer: tenant.authority });
  const admitted = identity.type === 'SUBJECT' ? { admitted: show(rightful) } : {};
  return admitsOnly(arena, tenant, { refused: show(refused), ...admitted });
}

export const revocation: readonly Case[] = [
  {
    id: 'revocation/list',
    group,
    title: "a certificate on its CA's revocation list",
    attack: 'The stolen key opens the door for as long as its certificate is valid.',
    expected,
    needs: lists,
    run: async (arena) => {
      const tenant = await arena.tenant();
      await revokeByList(arena, tenant);
      const admitted = show(await another(tenant));
      return admitsOnly(arena, tenant, { refused: tenant.certificate, admitted });
    },
  },
  {
    id: 'revocation/list-of-intermediate',
    group,
    title: 'a certificate below an intermediate that the root has revoked',
    attack: 'Only the leaf is looked up: who holds the key of a revoked intermediate issues himself new ones.',
    expected: 'not admitted',
    needs: lists,
    run: async (arena) => {
      const tenant = await arena.tenant();
      const issuing = await makeCa({ subject: 'Issuing CA', issuer: tenant.authority });
      const leaf = await makeClient({ subject: 'below', issuer: issuing });
      const both = (await revocationList(tenant.authority, [issuing])) + (await revocationList(issuing, []));
      // A target that takes lists of the bundle's CAs alone has to refuse with the root's.
      await (arena.target as RevokingTarget)
        .setRevocationLists(tenant.id, both)
        .catch(async () =>
          (arena.target as RevokingTarget).setRevocationLists(
            tenant.id,
            await revocationList(tenant.authority, [issuing]),
          ),
        );
      return admitsOnly(arena, tenant, { refused: show(leaf, [issuing]) });
    },
  },
  {
    id: 'revocation/list-of-a-namesake',
    group,
    title: "an empty list in the CA's name, signed by another key, after the client was revoked",
    attack: 'Whoever can put a file where the list is fetched from lets the revoked back in.',
    expected: 'the revoked client is not admitted',
    needs: lists,
    run: async (arena) => {
      const tenant = await arena.tenant();
      await revokeByList(arena, tenant);
      const namesake = await makeCa({ subject: `CA of ${tenant.id}` });
      const forged = await revocationList(tenant.authority, [], { number: 2, signer: namesake });
      await (arena.target as RevokingTarget).setRevocationLists(tenant.id, forged).catch(() => undefined);
      return admitsOnly(arena, tenant, { refused: tenant.certificate });
    },
  },
  {
    id: 'revocation/older-list',
    group,
    title: "the CA's own list from before, given again after the client was revoked",
    attack: 'A stale mirror, or somebody on the way to it, replays the last list that did not have the client.',
    expected,
    needs: lists,
    run: async (arena) => {
      const tenant = await arena.tenant();
      const target = arena.target as RevokingTarget;
      const before = await revocationList(tenant.authority, [], { number: 1 });
      await target.setRevocationLists(tenant.id, before);
      await target.setRevocationLists(
        tenant.id,
        await revocationList(tenant.authority, [tenant.client], { number: 2 }),
      );
      await target.setRevocationLists(tenant.id, before).catch(() => undefined);
      const admitted = show(await another(tenant));
      return admitsOnly(arena, tenant, { refused: tenant.certificate, admitted });
    },
  },
  {
    id: 'revocation/expired-list',
    group,
    title: 'a new connection after the list of its CA has expired',
    attack: 'The list is not renewed, because somebody saw to that: nobody is known to be revoked any more.',
    expected: 'not admitted while nobody said that an expired list is good enough',
    needs: lists,
    run: async (arena) => {
      const tenant = await arena.tenant();
      const nextUpdate = await shortLived(arena, tenant);
      await new Promise((resolve) => setTimeout(resolve, nextUpdate.getTime() - Date.now() + 50));
      return admitsOnly(arena, tenant, { refused: tenant.certificate });
    },
  },
  {
    id: 'revocation/list-of-another-tenant',
    group,
    title: 'two tenants trust the same CA; one of them is given its list',
    attack: "None: one customer's decision must not be another one's outage.",
    expected: 'the client is refused by the one and admitted by the other',
    needs: lists,
    run: async (arena) => {
      const tenant = await arena.tenant();
      const other = await arena.tenant(tenant.authority);
      await revokeByList(arena, tenant);
      const own = await admitsOnly(arena, tenant, { refused: tenant.certificate });
      if (own.verdict !== 'pass') return own;
      const elsewhere = await knock(arena.target, { tenant: other.id, certificate: tenant.certificate });
      return arena.target.admits(elsewhere.text, other.id) ? own : fail(`refused by the other: ${elsewhere.seen}`);
    },
  },
  {
    id: 'revocation/garbage-list',
    group,
    title: 'the list is replaced by something that is none, after the client was revoked',
    attack: 'A download that failed is saved as the list, and an unreadable list revokes nobody.',
    expected: 'the revoked client is not admitted',
    needs: lists,
    run: async (arena) => {
      const tenant = await arena.tenant();
      await revokeByList(arena, tenant);
      const garbage = '-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n';
      await (arena.target as RevokingTarget).setRevocationLists(tenant.id, garbage).catch(() => undefined);
      return admitsOnly(arena, tenant, { refused: tenant.certificate });
    },
  },
  {
    id: 'revocation/denied-fingerprint',
    group,
    title: 'a certificate that is denied by its fingerprint',
    attack: 'The key is stolen, and the CA has no list yet.',
    expected,
    needs: denial,
    run: async (arena) => {
      const tenant = await arena.tenant();
      await denyByFingerprint(arena, tenant);
      // The same name and key, issued anew, is another certificate.
      const { keys } = tenant.client;
      const renewed = await makeClient({ subject: `client-of-${tenant.id}`, issuer: tenant.authority, keys });
      return admitsOnly(arena, tenant, { refused: tenant.certificate, admitted: show(renewed) });
    },
  },
  {
    id: 'revocation/denied-serial',
    group,
    title: 'a certificate that is denied by issuer and serial number; another CA of the tenant issued the same number',
    attack: 'Serial numbers are compared without their issuer, or not at all.',
    expected: 'the denied one is refused, its twin by number is admitted',
    needs: denial,
    run: async (arena) => {
      const { target } = arena;
      const tenant = await arena.tenant();
      const second = await makeCa({ subject: 'Second CA' });
      await target.setAuthorities(tenant.id, tenant.authority.pem + second.pem);
      const serialNumber = Buffer.from(tenant.client.facts.serialNumber, 'hex');
      const twin = await makeClient({ subject: 'twin', issuer: second, serialNumber });
      await denyBySerial(arena, tenant);
      return admitsOnly(arena, tenant, { refused: tenant.certificate, admitted: show(twin) });
    },
  },
  {
    id: 'revocation/denied-intermediate',
    group,
    title: 'a certificate below an intermediate that is denied by its fingerprint',
    attack: 'Only the leaf is compared: the holder of the intermediate issues himself the next one.',
    expected: 'not admitted',
    needs: denial,
    run: async (arena) => {
      const tenant = await arena.tenant();
      const issuing = await makeCa({ subject: 'Issuing CA', issuer: tenant.authority });
      const leaf = await makeClient({ subject: 'below', issuer: issuing });
      await (arena.target as AccountTarget).deny(tenant.id, { fingerprint: issuing.facts.fingerprint256 });
      return admitsOnly(arena, tenant, { refused: show(leaf, [issuing]), admitted: tenant.certificate });
    },
  },
  {
    id: 'revocation/not-allowed',
    group,
    title: 'a certificate of the right CA in a name that is not allowed',
    attack: 'The CA issues for a whole company; anybody in it connects.',
    expected: 'refused; who has the allowed name is admitted',
    needs: denial,
    run: (arena) =>
      pinned(arena, { type: 'SUBJECT', value: 'CN=edge-1' }, async (tenant) => another(tenant, 'edge-10')),
  },
  {
    id: 'revocation/allowed-by-text',
    group,
    title: 'a DNS name is allowed; a certificate has that text inside a URI, and as the beginning of another name',
    attack: 'The certificate is searched for a text: any field that its holder may fill in will do.',
    taughtBy: 'CVE-2021-44532 (Node.js)',
    expected: 'refused',
    needs: denial,
    run: (arena) =>
      pinned(arena, { type: 'DNS', value: 'edge-1.example' }, (tenant) =>
        withSan(tenant, contextPrimitive(6, asciiBytes('urn:x, DNS:edge-1.example')), dns('edge-1.example.evil')),
      ),
  },
  {
    id: 'revocation/pinned-delegate',
    group,
    title: "a client of the tenant, in the name of a delegate that is pinned to another's certificate",
    attack: 'One delegate of a company acts as another one: same CA, same token.',
    expected: 'refused; who has the pinned certificate is admitted',
    needs: denial,
    run: async (arena) => {
      const tenant = await arena.tenant();
      await (arena.target as AccountTarget).pinDelegate(tenant.id, tenant.client.facts.fingerprint256);
      const refused = show(await another(tenant));
      return admitsOnly(arena, tenant, { refused, admitted: tenant.certificate });
    },
  },
];
