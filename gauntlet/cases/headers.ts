import { type Arena, type Case, fail, type Outcome, pass } from '../gauntlet.ts';
import { knock } from '../talk.ts';

interface Family {
  readonly name: string;
  readonly title: string;
  readonly attack: string;
  readonly taughtBy?: string;
  headers(arena: Arena, victim: string): readonly string[];
}

const SUBJECT = 'CN=forged';
const names = (arena: Arena, victim: string): string => arena.target.nameOf(victim);

/** Headers by which some proxy, somewhere, tells an application who the client is. */
const FAMILIES: readonly Family[] = [
  {
    name: 'authority',
    title: 'the headers that name the authority or the tenant',
    attack: 'The application trusts the header that the gateway in front is meant to set.',
    headers: (arena, victim) => [
      `agent-mtls-authority: ${names(arena, victim)}`,
      `X-Agent-Mtls-Authority: ${names(arena, victim)}`,
      `X-Tenant: ${victim}`,
      `X-Account-Id: ${victim}`,
      `:authority: ${names(arena, victim)}`,
    ],
  },
  {
    name: 'certificate',
    title: 'the headers that carry a certificate or its verification',
    attack: 'Any certificate can be shown in a header; nobody proves its key there.',
    headers: (arena) => [
      'X-Client-Verify: SUCCESS',
      `X-Client-Subject: ${SUBJECT}`,
      'X-SSL-Client-Verify: SUCCESS',
      'SSL-Client-Verify: SUCCESS',
      `X-SSL-Client-S-DN: ${SUBJECT}`,
      `X-SSL-Client-Cert: ${encodeURIComponent(arena.b.client.pem)}`,
      `X-Client-Cert: ${encodeURIComponent(arena.b.client.pem)}`,
      `Client-Cert: :${Buffer.from(arena.b.client.der).toString('base64')}:`,
      `X-ARR-ClientCert: ${Buffer.from(arena.b.client.der).toString('base64')}`,
      `X-Forwarded-Client-Cert: Hash=${arena.b.client.facts.fingerprint256};Subject="${SUBJECT}"`,
    ],
  },
  {
    name: 'forwarded',
    title: 'the headers that name another host or address',
    attack: 'The Host that is checked is not the host that is used.',
    headers: (arena, victim) => [
      `X-Forwarded-Host: ${names(arena, victim)}`,
      `Forwarded: host=${names(arena, victim)};proto=https`,
      `X-Host: ${names(arena, victim)}`,
      `X-Original-Host: ${names(arena, victim)}`,
      `X-Forwarded-Server: ${names(arena, victim)}`,
      'X-Forwarded-For: 127.0.0.1',
      'X-Real-IP: 127.0.0.1',
      `X-Original-URL: https://${names(arena, victim)}/`,
      'X-Rewrite-URL: /',
    ],
  },
  {
    name: 'underscores',
    title: 'the same headers with underscores, as CGI would read them',
    attack: 'X_Client_Verify passes a proxy that cleans X-Client-Verify, and is the same name to CGI, WSGI or PHP.',
    taughtBy: 'CVE-2015-0219 (Django)',
    headers: (arena, victim) => [
      `X_Tenant: ${victim}`,
      'X_Client_Verify: SUCCESS',
      `X_Client_Subject: ${SUBJECT}`,
      `agent_mtls_authority: ${names(arena, victim)}`,
      `X_Forwarded_Host: ${names(arena, victim)}`,
    ],
  },
  {
    name: 'case-and-repetition',
    title: 'the same headers in odd case, twice, empty first',
    attack: 'One spelling is cleaned, the other arrives; or the first value is cleaned and the last one used.',
    headers: (arena, victim) => [
      'x-tEnAnT:',
      `x-tEnAnT: ${victim}`,
      `X-TENANT: ${victim}`,
      'x-cLiEnT-vErIfY: NONE',
      'X-CLIENT-VERIFY: SUCCESS',
      `x-client-SUBJECT: ${SUBJECT}`,
      `AGENT-MTLS-AUTHORITY: ${names(arena, victim)}`,
      `Agent-Mtls-Authority: ${names(arena, victim)}`,
    ],
  },
  {
    name: 'connection-listed',
    title: 'the same headers, listed in Connection as if they were hop by hop',
    attack: 'The proxy obeys and takes out the header that it set itself, or leaves the forged one in.',
    taughtBy: 'CVE-2024-45410 (Traefik)',
    headers: (_arena, victim) => [
      'Connection: close, X-Tenant, X-Client-Verify, X-Client-Subject, Host, Authorization',
      `X-Tenant: ${victim}`,
      'X-Client-Verify: SUCCESS',
      `X-Client-Subject: ${SUBJECT}`,
    ],
  },
  {
    name: 'odd-bytes',
    title: 'the same headers with spaces, tabs and folded lines around their names',
    attack: 'What is no header to the gateway is one to the application.',
    headers: (_arena, victim) => [
      `X-Note: a\r\n\tX-Tenant: ${victim}`,
      `X-Client-Verify\t: SUCCESS`,
      `X-Client-Subject : ${SUBJECT}`,
    ],
  },
];

const group = 'header spoofing';

/** From the plain host without a certificate, and from a tenant's own connection: neither becomes the victim. */
async function fromPlain(arena: Arena, family: Family): Promise<Outcome> {
  const { target, a } = arena;
  const { port, name } = target.plain;
  for (const host of [name, target.nameOf(a.id)]) {
    const answer = await knock(target, {
      tenant: a.id,
      port,
      serverName: name,
      host,
      headers: family.headers(arena, a.id),
    });
    const subject = await target.subjectSeen(a.id, answer.text).catch(() => null);
    if (target.admits(answer.text, a.id)) return fail(`admitted as the tenant (Host ${host}): ${answer.seen}`);
    if (subject?.includes('forged')) return fail(`the application was told ${subject}`);
  }
  return pass('not believed');
}

async function fromTenant(arena: Arena, family: Family): Promise<Outcome> {
  const { target, a, b } = arena;
  for (const tenant of [a, b]) {
    const answer = await knock(target, {
      tenant: tenant.id,
      serverName: target.nameOf(a.id),
      host: target.nameOf(a.id),
      certificate: a.certificate,
      headers: family.headers(arena, b.id),
    });
    if (target.admits(answer.text, b.id)) return fail(`admitted as the other tenant: ${answer.seen}`);
    const subject = await target.subjectSeen(a.id, answer.text).catch(() => null);
    if (subject?.includes('forged')) return fail(`the application was told ${subject}`);
    if (family.name === 'connection-listed' && answer.text.includes('"backend":true') && subject === '') {
      return fail('the application was told of no client although one was verified');
    }
  }
  return pass('not believed');
}

export const headers: readonly Case[] = FAMILIES.flatMap((family) => [
  {
    id: `headers/${family.name}/plain`,
    group,
    title: `${family.title}, from the plain host`,
    attack: family.attack,
    ...(family.taughtBy !== undefined && { taughtBy: family.taughtBy }),
    expected: 'not admitted as a tenant, and the application is told nothing that was forged',
    run: (arena: Arena) => fromPlain(arena, family),
  },
  {
    id: `headers/${family.name}/tenant`,
    group,
    title: `${family.title}, from a client of another tenant`,
    attack: family.attack,
    ...(family.taughtBy !== undefined && { taughtBy: family.taughtBy }),
    expected: 'not admitted as the other tenant, and the application is told nothing that was forged',
    run: (arena: Arena) => fromTenant(arena, family),
  },
]);
