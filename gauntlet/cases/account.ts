import { rawTls } from '@sallyport/dev-env';
import { type AccountTarget, type Arena, type Case, type Demand, fail, type Outcome, pass } from '../gauntlet.ts';
import { compose, exchange, hear, knock } from '../talk.ts';
import type { Tenant } from '../tenants.ts';

const TOKENS = 'token of another account';
const STREAMS = 'WebSocket across tenants';
const RENEGOTIATION = 'renegotiation';

/** The demand on the connection of `a`: answered as neither tenant, unless it says so. */
async function onConnectionOfA(arena: Arena, demand: Demand, host?: string): Promise<Outcome> {
  const { target, a, b } = arena;
  const name = target.nameOf(a.id);
  const tls = { port: target.port, serverName: name, certificate: a.certificate };
  const answer = await exchange(target, tls, compose(demand, { host: host ?? name }));
  const wrong = [a, b].find(({ id }) => target.admits(answer.text, id));
  return wrong === undefined ? pass(answer.seen) : fail(`admitted as ${wrong.id}: ${answer.seen}`);
}

const accounts = ({ target }: Arena): AccountTarget => target as AccountTarget;

/** An upgrade must not be answered as the other tenant; on a proxy the same bytes are the own tenant's as well. */
async function upgrade(
  arena: Arena,
  options: { of: Tenant; host: string; plain?: boolean; bare?: boolean },
): Promise<Outcome> {
  const { target, a } = arena;
  const { of, host, plain = false, bare = false } = options;
  const tls = {
    port: plain ? target.plain.port : target.port,
    serverName: plain ? target.plain.name : target.nameOf(a.id),
    ...(!bare && { certificate: a.certificate }),
  };
  const bytes = compose(await target.streamDemand(of.id), { host, close: false });
  const answer = await exchange(target, tls, bytes);
  return target.admits(answer.text, of.id) ? fail(`admitted: ${answer.seen}`) : pass(answer.seen);
}

async function renegotiate(arena: Arena, certificate: boolean): Promise<Outcome> {
  const { target, a } = arena;
  const name = target.nameOf(a.id);
  const socket = await rawTls({
    port: target.port,
    serverName: name,
    version: 'TLSv1.2',
    ...(certificate && { certificate: a.certificate }),
  }).catch((error: NodeJS.ErrnoException) => error);
  if (socket instanceof Error) return pass(`handshake refused (${socket.code})`);
  const refusal = await new Promise<string | null>((resolve) => {
    const limit = setTimeout(() => resolve('no answer'), 1_000);
    socket.once('close', () => resolve('closed'));
    const started = socket.renegotiate({}, (error) => {
      clearTimeout(limit);
      resolve(error?.message ?? null);
    });
    if (started === false) resolve('not started');
  });
  if (refusal === null) return fail('the server renegotiated');
  if (!socket.destroyed && !certificate) {
    const text = await hear(socket, compose(await target.demand(a.id), { host: name }));
    if (target.admits(text, a.id)) return fail('admitted without a certificate after it');
  }
  socket.destroy();
  return pass('refused');
}

export const account: readonly Case[] = [
  ...[true, false].map((certificate) => ({
    id: `renegotiation/${certificate ? 'with' : 'without'}-certificate`,
    group: RENEGOTIATION,
    title: `a client asks to renegotiate, ${certificate ? 'after its certificate was verified' : 'without a certificate'} (TLS 1.2)`,
    attack: 'The second handshake says something else than the first; or asks for it over and over.',
    taughtBy: 'CVE-2009-3555 (TLS)',
    expected: 'refused',
    run: (arena: Arena) => renegotiate(arena, certificate),
  })),
  {
    id: 'tokens/other-account',
    group: TOKENS,
    title: 'the token and the path of another account, on the own endpoint',
    attack: "A stolen token is used through the thief's own door.",
    expected: 'refused',
    needs: ['tokens'],
    run: async (arena) => onConnectionOfA(arena, await accounts(arena).demandWith(arena.b.id, arena.b.id)),
  },
  {
    id: 'tokens/other-token-own-path',
    group: TOKENS,
    title: 'the token of another account for the own path',
    attack: 'Any valid token opens any account.',
    expected: 'refused',
    needs: ['tokens'],
    run: async (arena) => onConnectionOfA(arena, await accounts(arena).demandWith(arena.a.id, arena.b.id)),
  },
  {
    id: 'tokens/own-token-other-path',
    group: TOKENS,
    title: 'the own token for the path of another account',
    attack: 'The account is taken from the path, its owner from the token.',
    expected: 'refused',
    needs: ['tokens'],
    run: async (arena) => onConnectionOfA(arena, await accounts(arena).demandWith(arena.b.id, arena.a.id)),
  },
  ...(['own-first', 'other-first'] as const).map((order) => ({
    id: `tokens/account-twice-${order}`,
    group: TOKENS,
    title: `the account named twice, the ${order === 'own-first' ? 'own' : 'other'} one first`,
    attack: 'The first of two parameters is checked, the second one used.',
    expected: 'refused',
    needs: ['tokens'] as const,
    run: async (arena: Arena) => {
      const { a, b } = arena;
      const demand = await accounts(arena).demandWith(b.id, a.id);
      const [path] = demand.path.split('?');
      const named = order === 'own-first' ? [a.id, b.id] : [b.id, a.id];
      return onConnectionOfA(arena, { ...demand, path: `${path}?${named.map((id) => `accountId=${id}`).join('&')}` });
    },
  })),
  {
    id: 'tokens/delegate-of-another-account',
    group: TOKENS,
    title: 'the own account and token, the delegate of another account in the body',
    attack: 'The delegate is found by its id alone.',
    expected: 'refused',
    needs: ['tokens'],
    run: async (arena) => {
      const [own, other] = [await arena.target.demand(arena.a.id), await arena.target.demand(arena.b.id)];
      return onConnectionOfA(arena, { ...own, body: other.body });
    },
  },
  {
    id: 'tokens/revoked',
    group: TOKENS,
    title: 'a revoked token, with a rightful certificate, on an open connection',
    attack: 'The token was looked at once, when the connection was new.',
    expected: 'refused',
    needs: ['tokens'],
    run: async (arena) => {
      const tenant = await arena.tenant();
      const target = accounts(arena);
      const name = target.nameOf(tenant.id);
      const socket = await rawTls({ port: target.port, serverName: name, certificate: tenant.certificate });
      const bytes = compose(await target.demand(tenant.id), { host: name, close: false });
      if (!target.admits(await hear(socket, bytes), tenant.id)) return fail('a rightful client is refused');
      await target.revokeTokens(tenant.id);
      const after = socket.destroyed ? '' : await hear(socket, bytes);
      socket.destroy();
      const anew = await knock(target, { tenant: tenant.id, certificate: tenant.certificate });
      return target.admits(after + anew.text, tenant.id) ? fail('still admitted') : pass(anew.seen);
    },
  },
  {
    id: 'streams/rightful',
    group: STREAMS,
    title: 'an upgrade by a rightful client',
    attack: 'None: whoever refuses every upgrade passes the other cases of this group.',
    expected: 'admitted',
    run: async (arena) => {
      const { target, a } = arena;
      const outcome = await upgrade(arena, { of: a, host: target.nameOf(a.id) });
      return outcome.verdict === 'fail' ? pass(outcome.evidence) : fail(`refused: ${outcome.evidence}`);
    },
  },
  {
    id: 'streams/other-tenant',
    group: STREAMS,
    title: "an upgrade to another tenant's stream, Host the own",
    attack: 'Upgrades leave the usual way of a request before the second check.',
    expected: 'not admitted as the other tenant',
    run: (arena) => upgrade(arena, { of: arena.b, host: arena.target.nameOf(arena.a.id) }),
  },
  {
    id: 'streams/other-host',
    group: STREAMS,
    title: "an upgrade to another tenant's stream, Host the other",
    attack: 'Host is compared with the SNI for requests, not for upgrades.',
    expected: 'not admitted',
    run: (arena) => upgrade(arena, { of: arena.b, host: arena.target.nameOf(arena.b.id) }),
  },
  {
    id: 'streams/no-certificate',
    group: STREAMS,
    title: 'an upgrade without a certificate',
    attack: 'A refusal is written for requests, and forgotten for upgrades.',
    expected: 'not admitted',
    run: (arena) => upgrade(arena, { of: arena.a, host: arena.target.nameOf(arena.a.id), bare: true }),
  },
  {
    id: 'streams/plain-host',
    group: STREAMS,
    title: 'an upgrade from the plain host',
    attack: 'STRICT is for requests, and forgotten for upgrades.',
    expected: 'not admitted',
    run: (arena) => upgrade(arena, { of: arena.a, host: arena.target.plain.name, plain: true, bare: true }),
  },
  {
    id: 'streams/request-behind-upgrade',
    group: STREAMS,
    title: 'an upgrade that fails, a request for another tenant right behind it',
    attack: 'After an upgrade, failed or not, the proxy passes bytes on unread.',
    taughtBy: '0ang3el/websocket-smuggle',
    expected: 'not admitted',
    run: async (arena) => {
      const { target, a, b } = arena;
      const name = target.nameOf(a.id);
      const stream = await target.streamDemand(a.id);
      const broken = {
        ...stream,
        headers: stream.headers.filter((line) => !/^Sec-WebSocket-Version|^Authorization/.test(line)),
      };
      const behind = compose(await target.demand(b.id), {
        host: target.nameOf(b.id),
        headers: [`X-Tenant: ${b.id}`, 'X-Client-Verify: SUCCESS'],
      });
      const tls = { port: target.port, serverName: name, certificate: a.certificate };
      const answer = await exchange(target, tls, compose(broken, { host: name, close: false }) + behind);
      return target.admits(answer.text, b.id) ? fail(`admitted: ${answer.seen}`) : pass(answer.seen);
    },
  },
];
