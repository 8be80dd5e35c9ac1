import type { AccountTarget, Arena, Case, RevokingTarget } from '../gauntlet.ts';
import { revocationList } from '../revocation-lists.ts';
import type { Tenant } from '../tenants.ts';
import { afterChange, GRACE_MS, openRequests, openStream, servedOn } from './live-connection.ts';
import { allowSomebodyElse, another, denyByFingerprint, denyBySerial, revokeByList, shortLived } from './revoking.ts';

const lists = ['revocation lists'] as const;
const denial = ['denial'] as const;
const expected = `ended, or served no more, within ${GRACE_MS} ms of the change`;
const STAYS = 'The key is stolen and its certificate revoked; whoever is connected with it stays for weeks.';

/** The same change for a connection of requests and for a WebSocket. */
function liveCases(
  name: string,
  what: string,
  attack: string,
  needs: Case['needs'],
  change: (arena: Arena, tenant: Tenant) => Promise<unknown>,
): Case[] {
  return ([openRequests, openStream] as const).map((open) => ({
    id: `live/${name}${open === openStream ? '-stream' : ''}`,
    group: 'live connections',
    title: `an open ${open === openStream ? 'WebSocket' : 'connection'}, ${what}`,
    attack,
    expected,
    ...(needs !== undefined && { needs }),
    run: async (arena: Arena) => {
      const tenant = await arena.tenant();
      return afterChange(await open(arena, tenant), () => change(arena, tenant));
    },
  }));
}

export const revokedLive: readonly Case[] = [
  ...liveCases('crl', 'when a revocation list names its certificate', STAYS, lists, revokeByList),
  ...liveCases('denied-fingerprint', 'when its certificate is denied by fingerprint', STAYS, denial, denyByFingerprint),
  ...liveCases(
    'denied-serial',
    'when its certificate is denied by issuer and serial number',
    STAYS,
    denial,
    denyBySerial,
  ),
  ...liveCases(
    'identity-added',
    'when the first allowed identity is somebody else',
    'From "all of the CA" to "these alone": who is not one of them stays.',
    denial,
    allowSomebodyElse,
  ),
  ...liveCases(
    'identity-removed',
    'when its identity is taken out of the allowed ones',
    'The machine is retired; its connection is not.',
    denial,
    async (arena, tenant) => {
      const target = arena.target as AccountTarget;
      const own = { type: 'CERTIFICATE_SHA256', value: tenant.client.facts.fingerprint256 } as const;
      await target.setIdentities(tenant.id, [own, { type: 'SUBJECT', value: 'CN=somebody-else' }]);
      await allowSomebodyElse(arena, tenant);
    },
  ),
  ...liveCases(
    'delegate-pinned',
    'when its delegate is pinned to another certificate',
    'An impostor who was there before the pin stays.',
    denial,
    async (arena, tenant) => {
      const { facts } = await another(tenant);
      await (arena.target as AccountTarget).pinDelegate(tenant.id, facts.fingerprint256);
    },
  ),
  ...liveCases(
    'crl-expires',
    'when the revocation list of its CA expires',
    'The list is looked at when a connection comes; after it has expired nobody knows who is revoked.',
    lists,
    async (arena, tenant) => {
      const nextUpdate = await shortLived(arena, tenant);
      await new Promise((resolve) => setTimeout(resolve, nextUpdate.getTime() - Date.now()));
    },
  ),
  {
    id: 'live/not-revoked',
    group: 'live connections',
    title: 'an open connection, when another client of its CA is revoked',
    attack: 'None: who is not on the list must not be cut off, or nobody dares to revoke.',
    expected: 'served on',
    needs: lists,
    run: async (arena) => {
      const tenant = await arena.tenant();
      const list = await revocationList(tenant.authority, [await another(tenant)]);
      return servedOn(await openRequests(arena, tenant), () =>
        (arena.target as RevokingTarget).setRevocationLists(tenant.id, list),
      );
    },
  },
  {
    id: 'live/revoked-elsewhere',
    group: 'live connections',
    title: "an open connection with a certificate that another tenant's list names",
    attack: "None: one customer's decision must not be another one's outage.",
    expected: 'served on',
    needs: lists,
    run: async (arena) => {
      const tenant = await arena.tenant();
      const other = await arena.tenant(tenant.authority);
      return servedOn(await openStream(arena, other, tenant.certificate), () => revokeByList(arena, tenant));
    },
  },
];
