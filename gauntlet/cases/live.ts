import type { TLSSocket } from 'node:tls';
import { rawTls } from '@sallyport/dev-env';
import { type AccountTarget, type Arena, type Case, fail, type Outcome, pass } from '../gauntlet.ts';
import { compose, hear } from '../talk.ts';
import { makeCa, makeClient, show, type Tenant } from '../tenants.ts';

/** An open connection of whoever lost its right to be there has this long to end after the change is in force. */
const GRACE_MS = 2_000;

interface Live {
  readonly socket: TLSSocket;
  /** Sends what such a connection sends; true when it is still served. */
  served(): Promise<boolean>;
}

async function openRequests(arena: Arena, tenant: Tenant, certificate = tenant.certificate): Promise<Live> {
  const { target } = arena;
  const name = target.nameOf(tenant.id);
  const socket = await rawTls({ port: target.port, serverName: name, certificate });
  const bytes = compose(await target.demand(tenant.id), { host: name, close: false });
  const served = async (): Promise<boolean> => target.admits(await hear(socket, bytes, 100), tenant.id);
  return { socket, served };
}

async function openStream(arena: Arena, tenant: Tenant): Promise<Live> {
  const { target } = arena;
  const name = target.nameOf(tenant.id);
  const socket = await rawTls({ port: target.port, serverName: name, certificate: tenant.certificate });
  const upgrade = compose(await target.streamDemand(tenant.id), { host: name, close: false });
  let upgraded = false;
  // A masked text frame "{}": a heartbeat to Sallyport, an echo elsewhere.
  const frame = '\x81\x82\x00\x00\x00\x00{}';
  const served = async (): Promise<boolean> => {
    if (!upgraded) {
      upgraded = true;
      return (await hear(socket, upgrade, 100)).startsWith('HTTP/1.1 101');
    }
    await hear(socket, frame, 100);
    return !socket.destroyed && !socket.readableEnded;
  };
  return { socket, served };
}

async function afterChange(live: Live, change: () => Promise<unknown>, neighbour?: Live): Promise<Outcome> {
  try {
    if (!(await live.served())) return fail('the connection was not served before the change');
    if (neighbour !== undefined && !(await neighbour.served())) return fail('the neighbour was not served before');
    await change();
    const started = performance.now();
    const ended = await end(live.socket, GRACE_MS);
    if (!ended && (await live.served())) return fail(`still served ${GRACE_MS} ms after the change`);
    if (neighbour !== undefined && !(await neighbour.served())) return fail("another tenant's connection was cut too");
    return pass(ended ? `closed after ${Math.round(performance.now() - started)} ms` : 'open, but no longer served');
  } finally {
    live.socket.destroy();
    neighbour?.socket.destroy();
  }
}

function end(socket: TLSSocket, withinMs: number): Promise<boolean> {
  if (socket.destroyed || socket.readableEnded) return Promise.resolve(true);
  return new Promise((resolve) => {
    const done = (ended: boolean) => {
      clearTimeout(timer);
      resolve(ended);
    };
    const timer = setTimeout(() => done(false), withinMs);
    socket.once('close', () => done(true));
    socket.once('end', () => done(true));
    // Read on, or the end is never seen.
    socket.on('data', () => undefined);
  });
}

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
      const connection = await openRequests(arena, tenant);
      try {
        if (!(await connection.served())) return fail('the connection was not served before the change');
        const second = await makeCa({ subject: 'Second CA' });
        await arena.target.setAuthorities(tenant.id, tenant.authority.pem + second.pem);
        return (await connection.served()) ? pass('served on') : fail('cut off');
      } finally {
        connection.socket.destroy();
      }
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
      const neighbour = await openRequests(arena, arena.b);
      try {
        if (!(await neighbour.served())) return fail('the neighbour was not served before');
        await replaceAuthority(arena, tenant);
        return (await neighbour.served()) ? pass('served on') : fail('cut off');
      } finally {
        neighbour.socket.destroy();
      }
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
