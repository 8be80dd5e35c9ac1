import { type Arena, type Case, fail, type Outcome, pass } from '../gauntlet.ts';
import { knock } from '../talk.ts';

const FRONTING = 'GHSA-5r4w-85f3-pw66 (Traefik)';
const SPELLING = 'GHSA-9cr8-q42q-g8m7 (Traefik)';
const TRAILING_DOT = 'CVE-2022-23632 (Traefik)';

const long = [63, 63, 63, 63].map((length, index) => 'abcd'.charAt(index).repeat(length)).join('.');

/** Every Host that is tried with every SNI: those that name `a`, those that name another, those that name nothing. */
function hosts(arena: Arena): { readonly own: readonly string[]; readonly other: readonly (string | null)[] } {
  const { target, a, b } = arena;
  const [own, other] = [target.nameOf(a.id), target.nameOf(b.id)];
  return {
    own: [own, own.toUpperCase(), `${own}.`, `${own}:8443`],
    other: [
      other,
      other.toUpperCase(),
      `${other}.`,
      `${other}:443`,
      target.plain.name,
      'nobody.agent.localhost',
      'agent.localhost',
      '*.agent.localhost',
      'xn--cme-0na.agent.localhost',
      '127.0.0.1',
      '[::1]',
      long,
      '',
      `${own}@${other}`,
      `${own}, ${other}`,
      `${own} ${other}`,
      `${own}%00.${other}`,
      `${own}..`,
      `.${own}`,
      null,
    ],
  };
}

type Name = (arena: Arena) => string | null;

/** SNIs that are not, and in no spelling, the name of `a`: with the certificate of `a` none of them opens anything. */
const FOREIGN: readonly { name: string; title: string; taughtBy?: string; sni: Name }[] = [
  { name: 'other-tenant', title: 'another tenant', sni: ({ target, b }) => target.nameOf(b.id) },
  { name: 'plain', title: 'the plain host', taughtBy: FRONTING, sni: ({ target }) => target.plain.name },
  { name: 'unknown', title: 'a name nobody has', sni: () => 'nobody.agent.localhost' },
  { name: 'parent', title: 'the domain above the tenants', sni: () => 'agent.localhost' },
  { name: 'below', title: 'a name below the tenant', sni: ({ target, a }) => `x.${target.nameOf(a.id)}` },
  { name: 'none', title: 'none', taughtBy: FRONTING, sni: () => null },
  { name: 'wildcard', title: 'a literal wildcard', taughtBy: FRONTING, sni: () => '*.agent.localhost' },
  { name: 'ipv4', title: 'an IPv4 address', sni: () => '127.0.0.1' },
  { name: 'ipv6', title: 'an IPv6 address', sni: () => '::1' },
  { name: 'punycode', title: 'a punycode look-alike', sni: () => 'xn--cme-0na.agent.localhost' },
  { name: '255-characters', title: 'a name of 255 characters', sni: () => long },
  { name: '1000-characters', title: 'a name of 1,000 characters', sni: () => `${'x'.repeat(985)}.agent.localhost` },
  { name: 'two-dots', title: 'the name with two trailing dots', sni: ({ target, a }) => `${target.nameOf(a.id)}..` },
];

/** SNIs that are the name of `a` in another spelling: admitted as `a` or refused, never as anybody else. */
const OWN: readonly { name: string; title: string; taughtBy?: string; sni: Name }[] = [
  { name: 'exact', title: 'its own name', taughtBy: FRONTING, sni: ({ target, a }) => target.nameOf(a.id) },
  {
    name: 'mixed-case',
    title: 'its own name in mixed case',
    taughtBy: SPELLING,
    sni: ({ target, a }) => target.nameOf(a.id).replace(/[ao]/g, (letter) => letter.toUpperCase()),
  },
  {
    name: 'trailing-dot',
    title: 'its own name with a trailing dot',
    taughtBy: TRAILING_DOT,
    sni: ({ target, a }) => `${target.nameOf(a.id)}.`,
  },
  { name: 'with-port', title: 'its own name with a port', sni: ({ target, a }) => `${target.nameOf(a.id)}:8443` },
];

async function everyHost(arena: Arena, serverName: string | null, own: boolean, bare: boolean): Promise<Outcome> {
  const { target, a, b } = arena;
  const { own: ownHosts, other } = hosts(arena);
  let tried = 0;
  // A plain host on a port of its own is another way in: the name is asked for there, too.
  const plainPort = serverName === target.plain.name ? target.plain.port : target.port;
  const every = arena.thorough ? 1 : 3;
  for (const host of [...ownHosts, ...other].filter((_host, at) => at % every === 0)) {
    // What is asked for follows the Host, but where the connection is the own one both are asked for.
    const asked = own && !bare ? [a, b] : [host !== null && ownHosts.includes(host) ? a : b];
    for (const tenant of asked) {
      const answer = await knock(target, {
        tenant: tenant.id,
        port: plainPort,
        serverName,
        host,
        ...(!bare && { certificate: a.certificate }),
      });
      tried += 1;
      const rightful = own && !bare && host !== null && ownHosts.includes(host);
      for (const one of [a, b]) {
        if (!target.admits(answer.text, one.id) || (rightful && one === a)) continue;
        return fail(`SNI ${serverName}, Host ${host}: admitted as ${one.id} (${answer.seen})`);
      }
      if (answer.seen.startsWith('handshake refused')) break;
    }
  }
  return pass(`${tried} pairs`);
}

async function isOwnAdmitted(arena: Arena): Promise<boolean> {
  const { target, a } = arena;
  return target.admits((await knock(target, { tenant: a.id, certificate: a.certificate })).text, a.id);
}

const group = 'SNI and Host';

export const names: readonly Case[] = [
  ...FOREIGN.map(({ name, title, taughtBy, sni }) => ({
    id: `names/sni-${name}`,
    group,
    title: `SNI: ${title}; Host: every spelling of every name; the certificate of a tenant`,
    attack: 'The handshake is made for one name and the request for another: one of them escapes the check.',
    ...(taughtBy !== undefined && { taughtBy }),
    expected: 'no pair is admitted as a tenant',
    run: async (arena: Arena) => everyHost(arena, sni(arena), false, false),
  })),
  ...OWN.map(({ name, title, taughtBy, sni }) => ({
    id: `names/sni-${name}`,
    group,
    title: `SNI: ${title}; Host: every spelling of every name`,
    attack: 'On the connection of one tenant a request for another, or a spelling that only one of two checks knows.',
    ...(taughtBy !== undefined && { taughtBy }),
    expected: 'admitted as that tenant where Host is its name, and in no other way',
    run: async (arena: Arena) => {
      if (!(await isOwnAdmitted(arena))) return fail('a rightful client is refused');
      return everyHost(arena, sni(arena), true, false);
    },
  })),
  ...OWN.map(({ name, title, taughtBy, sni }) => ({
    id: `names/no-certificate-sni-${name}`,
    group,
    title: `SNI: ${title}; Host: every spelling of every name; no certificate`,
    attack: 'A spelling that selects the application but not the demand for a certificate.',
    ...(taughtBy !== undefined && { taughtBy }),
    expected: 'no pair is admitted',
    run: async (arena: Arena) => everyHost(arena, sni(arena), false, true),
  })),
];
