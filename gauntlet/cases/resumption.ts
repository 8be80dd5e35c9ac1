import { type Ability, type AccountTarget, type Arena, type Case, fail, type Outcome, pass } from '../gauntlet.ts';
import { exchange, type Knock, knock, type Version } from '../talk.ts';
import { makeCa, type Tenant } from '../tenants.ts';
import { allowSomebodyElse, denyByFingerprint, revokeByList } from './revoking.ts';

const NGINX = 'CVE-2025-23419 (nginx)';
const NODE = 'nodejs/node#35317';

/** Sessions made by one knock, offered one by one in another: none may open what a full handshake would not. */
async function offer(arena: Arena, sessions: readonly Buffer[], knocking: Knock): Promise<Outcome> {
  const { target } = arena;
  if (sessions.length === 0) return pass('the server gave no session to offer');
  const seen: string[] = [];
  for (const session of sessions.slice(-2)) {
    const answer = await knock(target, { ...knocking, session });
    if (target.admits(answer.text, knocking.tenant)) return fail(`admitted: ${answer.seen}`);
    seen.push(answer.seen);
  }
  return pass([...new Set(seen)].join('; '));
}

/** A session of a tenant's client, offered after the change, with the certificate that it was made with. */
async function afterwards(
  arena: Arena,
  version: Version,
  change: (arena: Arena, tenant: Tenant) => Promise<void>,
): Promise<Outcome> {
  const { target } = arena;
  const tenant = await arena.tenant();
  const { certificate } = tenant;
  const first = await knock(target, { tenant: tenant.id, certificate, version });
  if (!target.admits(first.text, tenant.id)) return fail(`a rightful client is refused: ${first.seen}`);
  await change(arena, tenant);
  return offer(arena, first.sessions, { tenant: tenant.id, certificate, version });
}

interface Plan {
  readonly name: string;
  readonly title: string;
  readonly attack: string;
  readonly taughtBy?: string;
  readonly needs?: readonly Ability[];
  run(arena: Arena, version: Version): Promise<Outcome>;
}

const PLANS: readonly Plan[] = [
  {
    name: 'other-tenant-no-certificate',
    title: 'a session of one tenant, offered at another without a certificate',
    attack: 'A client of one tenant reaches every other tenant of the listener with the ticket it was given.',
    taughtBy: NGINX,
    run: async (arena, version) => {
      const { target, a, b } = arena;
      const { sessions } = await knock(target, { tenant: a.id, certificate: a.certificate, version });
      return offer(arena, sessions, { tenant: b.id, version });
    },
  },
  {
    name: 'other-tenant-own-certificate',
    title: "a session of one tenant, offered at another with the first tenant's certificate",
    attack: 'As above, by a client that would show its certificate if it were asked again.',
    taughtBy: NGINX,
    run: async (arena, version) => {
      const { target, a, b } = arena;
      const { certificate } = a;
      const { sessions } = await knock(target, { tenant: a.id, certificate, version });
      return offer(arena, sessions, { tenant: b.id, certificate, version });
    },
  },
  {
    name: 'same-ca-in-two-tenants',
    title: 'two tenants trust the same CA; a session of one, offered at the other without the key',
    attack:
      'A stolen ticket of one tenant opens another one, whose CA list gives the two contexts the same session id.',
    taughtBy: NGINX,
    run: async (arena, version) => {
      const first = await arena.tenant();
      const second = await arena.tenant(first.authority);
      const { sessions } = await knock(arena.target, { tenant: first.id, certificate: first.certificate, version });
      return offer(arena, sessions, { tenant: second.id, version });
    },
  },
  {
    name: 'plain-host-first',
    title: 'a session of the plain host, offered at a tenant',
    attack: 'Anybody who may open the public site resumes that session under the name of a tenant.',
    taughtBy: NGINX,
    run: async (arena, version) => {
      const { target, a } = arena;
      const { port, name } = target.plain;
      const bytes = `GET / HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`;
      const { sessions } = await exchange(target, { port, serverName: name, version }, bytes);
      return offer(arena, sessions, { tenant: a.id, version });
    },
  },
  {
    name: 'without-certificate-first',
    title: 'a session made without a certificate, resumed without one',
    attack: 'The refused handshake leaves a session; its resumption is reported as authorized.',
    taughtBy: NODE,
    run: async (arena, version) => {
      const { target, a } = arena;
      const { sessions } = await knock(target, { tenant: a.id, version });
      return offer(arena, sessions, { tenant: a.id, version });
    },
  },
  {
    name: 'rejected-certificate-first',
    title: 'a session made with a certificate of a stranger, resumed',
    attack: 'The verdict about the first certificate is not kept with the session.',
    taughtBy: NODE,
    run: async (arena, version) => {
      const { target, a, b } = arena;
      const { sessions } = await knock(target, { tenant: a.id, certificate: b.certificate, version });
      return offer(arena, sessions, { tenant: a.id, certificate: b.certificate, version });
    },
  },
  {
    name: 'no-name-first',
    title: 'a session made without SNI, offered at a tenant',
    attack: 'The listener itself asks for no certificate; its session is taken up under a name that does.',
    taughtBy: NGINX,
    run: async (arena, version) => {
      const { target, a } = arena;
      const { sessions } = await knock(target, { tenant: a.id, serverName: null, version });
      return offer(arena, sessions, { tenant: a.id, version });
    },
  },
  {
    name: 'after-ca-change',
    title: 'a session from before the CA was replaced',
    attack: 'The former customer CA is compromised and was removed; its clients keep coming back by ticket.',
    run: async (arena, version) => {
      const { target } = arena;
      const tenant = await arena.tenant();
      const { certificate } = tenant;
      const { sessions } = await knock(target, { tenant: tenant.id, certificate, version });
      await target.setAuthorities(tenant.id, (await makeCa({ subject: 'The next CA' })).pem);
      return offer(arena, sessions, { tenant: tenant.id, certificate, version });
    },
  },
  {
    name: 'after-ca-change-same-name',
    title: 'a session from before the CA was replaced by one of the same name and another key',
    attack: 'The session context is derived from the names of the CAs, and the names did not change.',
    run: async (arena, version) => {
      const { target } = arena;
      const tenant = await arena.tenant();
      const { certificate } = tenant;
      const { sessions } = await knock(target, { tenant: tenant.id, certificate, version });
      await target.setAuthorities(tenant.id, (await makeCa({ subject: `CA of ${tenant.id}` })).pem);
      return offer(arena, sessions, { tenant: tenant.id, certificate, version });
    },
  },
  {
    name: 'after-removal',
    title: 'a session from before the endpoint was removed',
    attack: 'The customer is gone; its clients are not.',
    run: async (arena, version) => {
      const { target } = arena;
      const tenant = await arena.tenant();
      const { certificate } = tenant;
      const { sessions } = await knock(target, { tenant: tenant.id, certificate, version });
      await target.removeTenant(tenant.id);
      return offer(arena, sessions, { tenant: tenant.id, certificate, version });
    },
  },
  {
    name: 'after-revocation',
    title: 'a session from before the client was revoked by a list',
    attack: 'The stolen key is of no use any more; the ticket that was made with it is.',
    needs: ['revocation lists'],
    run: (arena, version) => afterwards(arena, version, revokeByList),
  },
  {
    name: 'after-denial',
    title: 'a session from before the certificate was denied by its fingerprint',
    attack: 'As above, where the CA has no list.',
    needs: ['denial'],
    run: (arena, version) => afterwards(arena, version, denyByFingerprint),
  },
  {
    name: 'after-identity-change',
    title: 'a session from before the identity of its client was allowed no more',
    attack: 'What is judged at the handshake is judged once, and resumption is no handshake.',
    needs: ['denial'],
    run: (arena, version) => afterwards(arena, version, allowSomebodyElse),
  },
  {
    name: 'without-the-key',
    title: "a client's own session, taken up by somebody without its certificate",
    attack: 'A ticket read from memory, a core dump or a backup stands in for a private key that was kept safe.',
    run: async (arena, version) => {
      const { target, a } = arena;
      const { sessions } = await knock(target, { tenant: a.id, certificate: a.certificate, version });
      return offer(arena, sessions, { tenant: a.id, version });
    },
  },
  {
    name: 'after-a-mode-flip',
    title: 'a session of the plain host from while the account was LOOSE, offered after STRICT',
    attack: 'The mode is looked at when a session is made, and not when it is taken up.',
    needs: ['modes'],
    run: async (arena, version) => {
      const target = arena.target as AccountTarget;
      const tenant = await arena.tenant();
      await target.setMode(tenant.id, 'LOOSE');
      const { port, name } = target.plain;
      const at = { tenant: tenant.id, port, serverName: name, host: name, version };
      const first = await knock(target, at);
      if (!target.admits(first.text, tenant.id)) return fail(`LOOSE did not admit a plain client: ${first.seen}`);
      await target.setMode(tenant.id, 'STRICT');
      return offer(arena, first.sessions, at);
    },
  },
];

export const resumption: readonly Case[] = PLANS.flatMap((plan) =>
  (['TLSv1.2', 'TLSv1.3'] as const).map((version) => ({
    id: `resumption/${plan.name}/${version}`,
    group: 'session resumption',
    title: `${plan.title} (${version})`,
    attack: plan.attack,
    ...(plan.taughtBy !== undefined && { taughtBy: plan.taughtBy }),
    ...(plan.needs !== undefined && { needs: plan.needs }),
    expected: 'not admitted: every connection proves its certificate anew',
    run: (arena: Arena) => plan.run(arena, version),
  })),
);
