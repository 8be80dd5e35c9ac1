import {
  basicConstraints,
  extendedKeyUsage,
  extension,
  keyUsage,
  subjectAlternativeName,
} from '../../packages/trust/src/issuance/certificate-builder.ts';
import {
  asciiBytes,
  context,
  contextPrimitive,
  type Der,
  sequence,
} from '../../packages/trust/src/issuance/der-writer.ts';
import { type Arena, type Case, fail, type Outcome, pass } from '../gauntlet.ts';
import { knock } from '../talk.ts';
import { type Made, make, makeCa, makeClient, show } from '../tenants.ts';
import { asCase, below, CA_EXTENSIONS, CLIENT_AUTH, leafWith, type Plan } from './presented.ts';

const DAY = 86_400_000;
const inDays = (days: number): Date => new Date(Date.now() + days * DAY);
const STUFFING = 'CVE-2015-1793 and CVE-2021-3450 (OpenSSL)';

/** dNSName subtrees: permitted is [0], excluded [1] (RFC 5280 4.2.1.10). */
function nameConstraints(kind: 0 | 1, name: string): Der {
  return extension('2.5.29.30', true, sequence(context(kind, sequence(contextPrimitive(2, asciiBytes(name))))));
}

const PATHS: readonly Plan[] = [
  {
    name: 'stranger',
    title: 'a certificate of a CA that nobody trusts',
    attack: 'Anybody makes a CA.',
    show: async (arena) => show(await makeClient({ subject: 'client', issuer: arena.stranger }), [arena.stranger]),
  },
  {
    name: 'other-tenant',
    title: 'a certificate of another tenant',
    attack: 'One store of CAs for all tenants, instead of one each.',
    show: async (arena) => arena.b.certificate,
  },
  {
    name: 'web-ca',
    title: "a certificate of a CA from the system's roots",
    attack: 'Where the tenant CA adds to the public roots instead of replacing them, any web CA opens the door.',
    taughtBy: 'CVE-2026-27586 (Caddy)',
    show: async (arena) => show(await makeClient({ subject: 'client', issuer: arena.systemRoot }), [arena.systemRoot]),
  },
  {
    name: 'self-signed',
    title: "a self-signed certificate with the name of the tenant's client",
    attack: 'Trust by name.',
    show: async () => show(await make({ subject: 'client-of-a', extensions: [extendedKeyUsage(CLIENT_AUTH)] })),
  },
  {
    name: 'same-name-ca',
    title: "a CA with the tenant CA's name and another key",
    attack: 'The issuer is found by name, its signature is not checked.',
    show: async () => show(await makeClient({ subject: 'client', issuer: await makeCa({ subject: 'CA of a' }) })),
  },
  {
    name: 'same-name-and-key-id',
    title: "a CA with the tenant CA's name and key identifier, and another key",
    attack: 'As above, with the identifier copied too.',
    show: async (arena) => {
      const twin = { ...(await makeCa({ subject: 'CA of a' })), keyId: arena.a.authority.keyId };
      return show(await makeClient({ subject: 'client', issuer: twin }));
    },
  },
  {
    name: 'leaf-as-ca',
    title: "a certificate issued by a client's certificate",
    attack: 'Every client of the tenant can make further clients, with any name.',
    taughtBy: STUFFING,
    show: async (arena) => below(arena.a.client),
  },
  {
    name: 'no-ca-flag',
    title: 'an intermediate without basicConstraints',
    attack: 'A certificate that nobody meant as a CA signs.',
    taughtBy: STUFFING,
    show: async (arena) => below(await leafWith(arena.a.authority, [keyUsage('keyCertSign', 'cRLSign')], 'no flag')),
  },
  {
    name: 'ca-flag-false',
    title: 'an intermediate with CA:FALSE and keyCertSign',
    attack: 'One of the two is looked at, not the other.',
    taughtBy: STUFFING,
    show: async (arena) =>
      below(await leafWith(arena.a.authority, [basicConstraints(false), keyUsage('keyCertSign')], 'false')),
  },
  {
    name: 'no-key-cert-sign',
    title: 'an intermediate CA whose key usage does not allow signing certificates',
    attack: 'As above, the other way round.',
    show: async (arena) =>
      below(await leafWith(arena.a.authority, [basicConstraints(true), keyUsage('digitalSignature')], 'no use')),
  },
  {
    name: 'version-1-intermediate',
    title: 'an X.509 v1 certificate as intermediate',
    attack: 'v1 has no CA flag: some readers take every v1 certificate for a CA.',
    show: async (arena) =>
      below(await make({ subject: 'v1', issuer: arena.a.authority, extensions: [], keyIds: false })),
  },
  {
    name: 'path-length-0',
    title: 'a CA below a CA with path length 0',
    attack: 'The issuing CA of one department makes more CAs than it was given.',
    show: async (arena) => {
      const first = await makeCa({ subject: 'issuing', issuer: arena.a.authority, pathLength: 0 });
      return below(await makeCa({ subject: 'too deep', issuer: first }), [first]);
    },
  },
  {
    name: 'name-constraints-excluded',
    title: 'a name that the intermediate excludes',
    attack: 'A constrained CA issues for names that it was forbidden.',
    taughtBy: 'CVE-2021-44532 (Node)',
    show: async (arena) => {
      const issuer = await make({
        subject: 'constrained',
        issuer: arena.a.authority,
        extensions: [...CA_EXTENSIONS, nameConstraints(1, 'forbidden.test')],
      });
      const leaf = await leafWith(issuer, [
        extendedKeyUsage(CLIENT_AUTH),
        subjectAlternativeName([{ type: 'dns', value: 'agent.forbidden.test' }]),
      ]);
      return show(leaf, [issuer]);
    },
  },
  {
    name: 'name-constraints-not-permitted',
    title: 'a name outside what the intermediate permits',
    attack: 'A constrained CA issues for names that it was not given.',
    taughtBy: 'CVE-2021-44532 (Node)',
    show: async (arena) => {
      const issuer = await make({
        subject: 'permitted',
        issuer: arena.a.authority,
        extensions: [...CA_EXTENSIONS, nameConstraints(0, 'allowed.test')],
      });
      const leaf = await leafWith(issuer, [
        extendedKeyUsage(CLIENT_AUTH),
        subjectAlternativeName([{ type: 'dns', value: 'agent.elsewhere.test' }]),
      ]);
      return show(leaf, [issuer]);
    },
  },
  {
    name: 'expired-leaf',
    title: 'an expired certificate',
    attack: 'A laptop from the attic.',
    show: async (arena) =>
      show(
        await makeClient({
          subject: 'late',
          issuer: arena.a.authority,
          notBefore: inDays(-9),
          notAfter: inDays(-1),
        }),
      ),
  },
  {
    name: 'not-yet-valid-leaf',
    title: 'a certificate from the future',
    attack: 'Issued to be used when nobody looks any more.',
    show: async (arena) =>
      show(await makeClient({ subject: 'early', issuer: arena.a.authority, notBefore: inDays(2) })),
  },
  {
    name: 'expired-intermediate',
    title: 'a valid certificate below an expired intermediate',
    attack: 'Only the dates of the leaf are looked at.',
    show: async (arena) =>
      below(await makeCa({ subject: 'old', issuer: arena.a.authority, notBefore: inDays(-9), notAfter: inDays(-1) })),
  },
  {
    name: 'intermediate-not-sent',
    title: 'a certificate whose intermediate is not sent',
    attack: 'A path with a hole in it is taken on trust.',
    show: async (arena) =>
      show(
        await makeClient({
          subject: 'client',
          issuer: await makeCa({ subject: 'not sent', issuer: arena.a.authority }),
        }),
      ),
  },
  {
    name: 'unknown-critical-extension',
    title: 'a critical extension that nobody knows',
    attack: 'A restriction that is not understood is dropped.',
    show: async (arena) =>
      show(
        await leafWith(arena.a.authority, [
          extendedKeyUsage(CLIENT_AUTH),
          extension('1.3.6.1.4.1.99999.1', true, sequence()),
        ]),
      ),
  },
  {
    name: 'loop',
    title: 'two CAs that issued each other',
    attack: 'The search for a root goes round for ever.',
    show: async () => {
      const seed = await makeCa({ subject: 'loop A' });
      const second = await makeCa({ subject: 'loop B', issuer: seed });
      const first = await makeCa({ subject: 'loop A', issuer: second, keys: seed.keys });
      return show(await makeClient({ subject: 'client', issuer: first }), [first, second, seed, first]);
    },
  },
  {
    name: 'hundred-intermediates',
    title: 'a hundred intermediates of a stranger',
    attack: 'Each handshake costs a hundred verifications.',
    taughtBy: 'CVE-2018-16875 (Go)',
    show: async (arena) => {
      const chain: Made[] = [];
      let issuer = arena.stranger;
      for (let depth = 0; depth < 100; depth += 1) {
        issuer = await makeCa({ subject: `level ${depth}`, issuer });
        chain.unshift(issuer);
      }
      return show(await makeClient({ subject: 'client', issuer }), chain);
    },
  },
  {
    name: 'hundred-candidates',
    title: 'a hundred intermediates of one name, each a possible issuer',
    attack: 'A builder that tries every combination never comes to an end.',
    show: async (arena) => {
      const chain: Made[] = [];
      for (let copy = 0; copy < 50; copy += 1) {
        const upper = await makeCa({ subject: 'twin', issuer: { ...arena.stranger, keyId: arena.stranger.keyId } });
        chain.push(upper);
      }
      const issuer = await makeCa({ subject: 'twin', keyIds: false });
      return show(await makeClient({ subject: 'client', issuer, keyIds: false }), chain);
    },
  },
];

async function admittedChain(arena: Arena): Promise<Outcome> {
  const { target, a } = arena;
  const upper = await makeCa({ subject: 'upper', issuer: a.authority, pathLength: 1 });
  const lower = await makeCa({ subject: 'lower', issuer: upper, pathLength: 0 });
  const answer = await knock(target, { tenant: a.id, certificate: await below(lower, [upper]) });
  return target.admits(answer.text, a.id) ? pass('admitted') : fail(`a rightful client is refused: ${answer.seen}`);
}

export const paths: readonly Case[] = [
  {
    id: 'paths/rightful-chain',
    group: 'path validation',
    title: 'a right chain of two intermediates',
    attack: 'None: whoever refuses everything passes every other case of this group.',
    expected: 'admitted',
    run: admittedChain,
  },
  ...PATHS.map((plan) => asCase('path validation', 'paths', plan)),
];
