import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type AccountTarget, type Arena, type Case, fail, type Outcome, pass, type Target } from '../gauntlet.ts';
import { knock } from '../talk.ts';
import { makeClient, newTenant, show, type Tenant } from '../tenants.ts';

const CADDY = 'CVE-2026-27586 (Caddy)';
const TRAEFIK = 'CVE-2022-46153 (Traefik)';

/** Everybody who has no certificate of the tenant. Null when none of them gets in. */
async function intruders(target: Target, arena: Arena, tenant: string): Promise<string | null> {
  const shown = {
    'without a certificate': {},
    'a stranger': { certificate: show(await makeClient({ subject: 'x', issuer: arena.stranger })) },
    "a client of the system's roots": {
      certificate: show(await makeClient({ subject: 'x', issuer: arena.systemRoot })),
    },
    'another tenant': { certificate: arena.b.certificate },
  };
  for (const [who, options] of Object.entries(shown)) {
    const answer = await knock(target, { tenant, ...options });
    if (target.admits(answer.text, tenant)) return `${who} is admitted (${answer.seen})`;
  }
  return null;
}

async function afterBadChange(arena: Arena, change: (tenant: Tenant) => Promise<void>): Promise<Outcome> {
  const { target } = arena;
  const tenant = await arena.tenant();
  const refusal = await change(tenant).then(
    () => null,
    (error: Error) => error.message.slice(0, 90),
  );
  const intruder = await intruders(target, arena, tenant.id);
  const what = refusal === null ? 'the change is taken' : `the change is refused (${refusal.trim()})`;
  if (intruder !== null) return fail(`${what}; ${intruder}`);
  const own = await knock(target, { tenant: arena.a.id, certificate: arena.a.certificate });
  return target.admits(own.text, arena.a.id) ? pass(what) : fail(`${what}; other tenants are refused: ${own.seen}`);
}

type Another = Awaited<ReturnType<AccountTarget['another']>>;

/** A manager of its own with the tenants `a` and `b`, for a case that ruins its database. */
async function onAnother(arena: Arena, run: (other: Another, tenant: Tenant) => Promise<Outcome>): Promise<Outcome> {
  const other = await (arena.target as AccountTarget).another();
  try {
    const tenant = await newTenant('a');
    await other.addTenant(tenant.id, tenant.authority);
    return await run(other, tenant);
  } finally {
    await other.stop();
  }
}

async function withStored(arena: Arena, bundle: string): Promise<Outcome> {
  return onAnother(arena, async (other, tenant) => {
    await other.restart(() => {
      const database = new DatabaseSync(databaseFile(other.dataDirectory));
      database.prepare('UPDATE mtls_endpoints SET ca_certificates = ?').run(bundle);
      database.close();
    });
    const intruder = await intruders(other, arena, tenant.id);
    if (intruder !== null) return fail(intruder);
    const own = await knock(other, { tenant: tenant.id, certificate: tenant.certificate });
    return other.admits(own.text, tenant.id) ? fail(`admitted on trust that is gone: ${own.seen}`) : pass(own.seen);
  });
}

function databaseFile(folder: string): string {
  return join(folder, 'sallyport.db');
}

const group = 'fail-open';
const expected = 'nobody but the clients of the tenant, as it was or as it is, is admitted; others are served on';

export const failOpen: readonly Case[] = [
  {
    id: 'fail-open/empty-bundle',
    group,
    title: 'the CA bundle is replaced by an empty one',
    attack: 'No CA to compare with is read as nothing to compare.',
    taughtBy: TRAEFIK,
    expected,
    run: (arena) => afterBadChange(arena, ({ id }) => arena.target.setAuthorities(id, '')),
  },
  {
    id: 'fail-open/garbage-bundle',
    group,
    title: 'the CA bundle is replaced by something that is no certificate',
    attack: 'The error is swallowed, and the demand for a certificate with it.',
    taughtBy: CADDY,
    expected,
    run: (arena) => afterBadChange(arena, ({ id }) => arena.target.setAuthorities(id, 'not a certificate\n')),
  },
  {
    id: 'fail-open/broken-pem',
    group,
    title: 'the CA bundle is replaced by a damaged one',
    attack: 'As above, with the right label around the wrong bytes.',
    taughtBy: CADDY,
    expected,
    run: (arena) =>
      afterBadChange(arena, ({ id, authority }) =>
        arena.target.setAuthorities(id, authority.pem.replace(/\n([A-Za-z0-9+/]{20})/, '\nAAAAAAAAAAAAAAAAAAAA')),
      ),
  },
  {
    id: 'fail-open/missing-bundle',
    group,
    title: 'certificates are asked for, the CA bundle is left out',
    attack: "Without a bundle of its own the endpoint takes the system's roots.",
    taughtBy: CADDY,
    expected,
    run: (arena) => afterBadChange(arena, ({ id }) => arena.target.setNoAuthorities(id)),
  },
  {
    id: 'fail-open/bundle-of-a-leaf',
    group,
    title: "the CA bundle is replaced by a client's certificate",
    attack: 'A certificate that is no CA becomes one by being in the list.',
    expected,
    run: (arena) => afterBadChange(arena, ({ id, client }) => arena.target.setAuthorities(id, client.pem)),
  },
  {
    id: 'fail-open/stored-bundle-empty',
    group,
    title: 'the stored CA bundle is emptied behind its back, and the program starts again',
    attack: 'A migration, a restore or an operator at the database leaves an endpoint without a CA.',
    expected: 'nobody is admitted',
    needs: ['database'],
    run: (arena) => withStored(arena, ''),
  },
  {
    id: 'fail-open/stored-bundle-garbage',
    group,
    title: 'the stored CA bundle is damaged, and the program starts again',
    attack: 'As above.',
    expected: 'nobody is admitted',
    needs: ['database'],
    run: (arena) => withStored(arena, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'),
  },
  {
    id: 'fail-open/database-gone',
    group,
    title: 'the database is overwritten while the program runs',
    attack: 'What cannot be looked up is let through.',
    expected: 'nobody without a certificate of the tenant is admitted',
    needs: ['database'],
    run: (arena) =>
      onAnother(arena, async (other, tenant) => {
        const second = await newTenant('b');
        await other.addTenant(second.id, second.authority);
        await other.restart();
        const folder = other.dataDirectory;
        for (const file of readdirSync(folder).filter((name) => /\.db(-wal|-shm)?$/.test(name))) {
          writeFileSync(join(folder, file), 'gone'.repeat(4_096));
        }
        for (const { id } of [tenant, second]) {
          const intruder = await intruders(other, arena, id);
          if (intruder !== null) return fail(intruder);
          const { port, name } = other.plain;
          const plain = await knock(other, { tenant: id, port, serverName: name, host: name });
          if (other.admits(plain.text, id)) return fail(`a plain client is admitted: ${plain.seen}`);
        }
        return pass('refused');
      }),
  },
];
