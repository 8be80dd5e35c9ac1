import type { TLSSocket } from 'node:tls';
import { rawTls } from '@sallyport/dev-env';
import { type Arena, fail, type Outcome, pass } from '../gauntlet.ts';
import { compose, hear } from '../talk.ts';
import type { Tenant } from '../tenants.ts';

/** An open connection of whoever lost its right to be there has this long to end after the change is in force. */
export const GRACE_MS = 2_000;

export interface Live {
  readonly socket: TLSSocket;
  /** Sends what such a connection sends; true when it is still served. */
  served(): Promise<boolean>;
}

export async function openRequests(arena: Arena, tenant: Tenant, certificate = tenant.certificate): Promise<Live> {
  const { target } = arena;
  const name = target.nameOf(tenant.id);
  const socket = await rawTls({ port: target.port, serverName: name, certificate });
  const bytes = compose(await target.demand(tenant.id), { host: name, close: false });
  const served = async (): Promise<boolean> => target.admits(await hear(socket, bytes, 100), tenant.id);
  return { socket, served };
}

export async function openStream(arena: Arena, tenant: Tenant, certificate = tenant.certificate): Promise<Live> {
  const { target } = arena;
  const name = target.nameOf(tenant.id);
  const socket = await rawTls({ port: target.port, serverName: name, certificate });
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

export async function afterChange(live: Live, change: () => Promise<unknown>, neighbour?: Live): Promise<Outcome> {
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

export function end(socket: TLSSocket, withinMs: number): Promise<boolean> {
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

/** For a change that takes nothing away from this connection. */
export async function servedOn(live: Live, change: () => Promise<unknown>): Promise<Outcome> {
  try {
    if (!(await live.served())) return fail('the connection was not served before the change');
    await change();
    return (await live.served()) ? pass('served on') : fail('cut off');
  } finally {
    live.socket.destroy();
  }
}
