import { rawTls } from '@sallyport/dev-env';
import type { AccountTarget, Arena, Case } from '../gauntlet.ts';
import { compose, hear } from '../talk.ts';
import { makeCa, makeClient, show, type Tenant } from '../tenants.ts';
import { afterChange, end, GRACE_MS, openRequests, openStream, servedOn } from './live-connection.ts';

const group = 'live connections';
const expected = `ended, or served no more, within ${GRACE_MS} ms of the change; other tenants untouched`;
const REMOVED = 'The CA is compromised and removed; whoever is connected stays for as long as the connection lives.';

async function replaceAuthority({ target }: Arena, tenant: Tenant): Promise<void> {
  await target.setAuthorities(tenant.id, (await makeCa({ subject: 'The next CA' })).pem);
}

export const live: readonly Case[] = [
  {
    id: 'live/ca-removed',
    group,
    title: 'an open connection, when its CA is replaced',
    attack: REMOVED,
    expected,
    run: async (arena) => {
      const tenant = await arena.tenant();
      return afterChange(await openRequests(arena, tenant), () => replaceAuthority(arena, tenant));
    },
  },
  {
    id: 'live/ca-removed-stream',
    group,
    title: 'an open WebSocket, when its CA is replaced',
    attack: REMOVED,
    expected,
    run: async (arena) => {
      const tenant = await arena.tenant();
      return afterChange(await openStream(arena, tenant), () => replaceAuthority(arena, tenant));
    },
  },
  {
    id: 'live/ca-removed-same-name',
    group,
    title: 'an open connection, when its CA is replaced by one of the same name',
    attack: 'The CA is recognised by its name: the new one covers for the old one.',
    expected,
    run: async (arena) => {
      const tenant = await arena.tenant();
      const next = await makeCa({ subject: `CA of ${tenant.id}` });
      return afterChange(await openRequests(arena, tenant), () => arena.target.setAuthorities(tenant.id, next.pem));
    },
  },
  {
    id: 'live/ca-added',
    group,
    title: 'an open connection, when a second CA is added',
    attack: 'None: a change that takes nothing away must not cut anybody off, or nobody dares to rotate.',
    expected: 'served on',
    run: async (arena) => {
      const tenant = await arena.tenant();
      const second = await makeCa({ subject: 'Second CA' });
      const both = tenant.authority.pem + second.pem;
      return servedOn(await openRequests(arena, tenant), () => arena.target.setAuthorities(tenant.id, both));
    },
  },
  {
    id: 'live/others-untouched',
    group,
    title: "another tenant's open connection, when a CA is replaced",
    attack: "None: one customer's rotation must not be another one's outage.",
    expected: 'served on',
    run: async (arena) => {
      const tenant = await arena.tenant();
      return servedOn(await openRequests(arena, arena.b), () => replaceAuthority(arena, tenant));
    },
  },
  {
    id: 'live/endpoint-removed',
    group,
    title: 'an open connection, when its endpoint is removed',
    attack: 'The customer is gone; its agents are not.',
    expected,
    run: async (arena) => {
      const tenant = await arena.tenant();
      return afterChange(await openRequests(arena, tenant), () => arena.target.removeTenant(tenant.id));
    },
  },
  {
    id: 'live/endpoint-removed-stream',
    group,
    title: 'an open WebSocket, when its endpoint is removed',
    attack: 'The customer is gone; its agents are not.',
    expected,
    run: async (arena) => {
      const tenant = await arena.tenant();
      return afterChange(await openStream(arena, tenant), () => arena.target.removeTenant(tenant.id));
    },
  },
  {
    id: 'live/account-removed',
    group,
    title: 'an open connection, when its account is deleted',
    attack: 'The customer is gone; its agents are not.',
    expected,
    needs: ['modes'],
    run: async (arena) => {
      const tenant = await arena.tenant();
      const target = arena.target as AccountTarget;
      return afterChange(await openRequests(arena, tenant), () => target.removeAccount(tenant.id));
    },
  },
  {
    id: 'live/tokens-revoked-stream',
    group,
    title: 'an open WebSocket, when the tokens of its account are revoked',
    attack: 'A token is looked at when a stream opens, and a stream stays open for weeks.',
    expected,
    needs: ['tokens'],
    run: async (arena) => {
      const tenant = await arena.tenant();
      const target = arena.target as AccountTarget;
      return afterChange(await openStream(arena, tenant), () => target.revokeTokens(tenant.id));
    },
  },
  {
    id: 'live/strict-flip',
    group,
    title: 'an open plain connection, when the account becomes STRICT',
    attack: 'STRICT is looked at when a connection comes, and the plain ones are here already.',
    expected,
    needs: ['modes'],
    run: async (arena) => {
      const tenant = await arena.tenant();
      const target = arena.target as AccountTarget;
      await target.setMode(tenant.id, 'LOOSE');
      const { port, name } = target.plain;
      const socket = await rawTls({ port, serverName: name });
      const bytes = compose(await target.demand(tenant.id), { host: name, close: false });
      const served = async (): Promise<boolean> => target.admits(await hear(socket, bytes, 100), tenant.id);
      return afterChange({ socket, served }, () => target.setMode(tenant.id, 'STRICT'));
    },
  },
  {
    id: 'live/certificate-expires',
    group,
    title: 'an open connection, when its certificate expires',
    attack: 'A certificate of an hour is good for as long as the connection it opened.',
    expected,
    run: async (arena) => {
      const { a } = arena;
      const notAfter = new Date(Math.ceil(Date.now() / 1_000) * 1_000 + 1_000);
      const client = await makeClient({ subject: 'short-lived', issuer: a.authority, notAfter });
      const connection = await openRequests(arena, a, show(client));
      return afterChange(connection, async () => {
        await end(connection.socket, notAfter.getTime() - Date.now());
      });
    },
  },
];
