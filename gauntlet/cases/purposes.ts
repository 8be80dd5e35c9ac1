import { basicConstraints, extendedKeyUsage, keyUsage } from '../../packages/trust/src/issuance/certificate-builder.ts';
import type { Case } from '../gauntlet.ts';
import { make, show } from '../tenants.ts';
import { asCase, below, CA_EXTENSIONS, CLIENT_AUTH, leafWith, type Plan } from './presented.ts';

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CODE_SIGNING = '1.3.6.1.5.5.7.3.3';

const PURPOSES: readonly Plan[] = [
  {
    name: 'server-only',
    title: 'a certificate for servers',
    attack: "Any web server of the customer's own CA is a client of the tenant.",
    show: async (arena) => show(await leafWith(arena.a.authority, [extendedKeyUsage(SERVER_AUTH)])),
  },
  {
    name: 'code-signing-only',
    title: 'a certificate for signing code',
    attack: 'As above.',
    show: async (arena) => show(await leafWith(arena.a.authority, [extendedKeyUsage(CODE_SIGNING)])),
  },
  {
    name: 'key-agreement-only',
    title: 'a certificate whose key may not sign',
    attack: 'Key usage is not looked at.',
    show: async (arena) =>
      show(await leafWith(arena.a.authority, [extendedKeyUsage(CLIENT_AUTH), keyUsage('keyEncipherment')])),
  },
  {
    name: 'intermediate-for-servers',
    title: 'a client certificate below a CA that is for servers only',
    attack: 'The web department signs clients.',
    show: async (arena) =>
      below(
        await make({
          subject: 'web CA',
          issuer: arena.a.authority,
          extensions: [...CA_EXTENSIONS, extendedKeyUsage(SERVER_AUTH)],
        }),
      ),
  },
  {
    name: 'ca-as-client',
    title: 'the CA itself as client',
    attack: "Whoever has the CA's key on a client machine is hard to tell from a client, and can make more of them.",
    show: async (arena) => show(arena.a.authority),
  },
  {
    name: 'intermediate-as-client',
    title: 'an intermediate CA as client, its key usage left open',
    attack: 'As above; OpenSSL takes a CA for a client when nothing says what its key is for.',
    show: async (arena) =>
      show(await make({ subject: 'issuing', issuer: arena.a.authority, extensions: [basicConstraints(true)] })),
  },
];

export const purposes: readonly Case[] = PURPOSES.map((plan) => asCase('wrong purpose', 'purpose', plan));
