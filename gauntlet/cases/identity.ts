import {
  buildCertificate,
  extendedKeyUsage,
  extension,
} from '../../packages/trust/src/issuance/certificate-builder.ts';
import {
  asciiBytes,
  context,
  contextPrimitive,
  oid,
  sequence,
  setOf,
  utf8String,
} from '../../packages/trust/src/issuance/der-writer.ts';
import { exportPublicKey } from '../../packages/trust/src/issuance/signing.ts';
import { writePemBlock } from '../../packages/trust/src/pem.ts';
import type { Certificate } from '../certificate.ts';
import { type Arena, type Case, fail, type Outcome, pass } from '../gauntlet.ts';
import { knock } from '../talk.ts';
import { type Made, make, makeClient, show, type Tenant } from '../tenants.ts';

const CLIENT_AUTH = extendedKeyUsage('1.3.6.1.5.5.7.3.2');
const STUFFING = 'CVE-2023-2422 (Keycloak)';

/** Shown at the door of `a` it must not be admitted. */
async function refused(arena: Arena, certificate: Certificate): Promise<Outcome> {
  const { target, a } = arena;
  const answer = await knock(target, { tenant: a.id, certificate });
  return target.admits(answer.text, a.id) ? fail(`admitted: ${answer.seen}`) : pass(answer.seen);
}

/**
 * Shown at the door of `a` by somebody with a rightful certificate: refused, or the application is told a subject that
 * `right` accepts.
 */
async function called(
  arena: Arena,
  shown: (a: Tenant) => Promise<Certificate>,
  right: (subject: string) => boolean,
): Promise<Outcome> {
  const { target } = arena;
  // Of its own: what the application was told last is told by the tenant.
  const a = await arena.tenant();
  const certificate = await shown(a);
  const answer = await knock(target, { tenant: a.id, certificate });
  if (target.admits(answer.text, arena.b.id)) return fail('admitted as the other tenant');
  if (!target.admits(answer.text, a.id)) return pass(`refused: ${answer.seen}`);
  const subject = await target.subjectSeen(a.id, answer.text);
  if (subject === null) return fail('the application was told of no client');
  return right(subject) ? pass(`called ${JSON.stringify(subject)}`) : fail(`called ${JSON.stringify(subject)}`);
}

const leaf = (a: Tenant, subject: string): Promise<Made> => makeClient({ subject, issuer: a.authority });

/** An attribute type at the start of the text, or behind a separator that nothing escapes. */
function attributes(subject: string): string[] {
  return [...subject.matchAll(/(?:^|(?<!\\)[,/+]\s*)([A-Za-z]+)=/g)].map(([, type]) => type ?? '');
}

/** A client whose common name no careful CA would write: any text at all, as one UTF8String. */
async function named(a: Tenant, commonName: string): Promise<Certificate> {
  const own = await leaf(a, 'odd');
  const der = await buildCertificate(
    {
      serialNumber: Uint8Array.of(11),
      issuer: a.authority.name,
      subject: sequence(setOf(sequence(oid('2.5.4.3'), utf8String(commonName)))),
      notBefore: new Date(Date.now() - 3_600_000),
      notAfter: new Date(Date.now() + 3_600_000),
      publicKey: await exportPublicKey(own.keys.publicKey),
      extensions: [CLIENT_AUTH],
    },
    a.authority.keys.privateKey,
  );
  return { certificatePem: writePemBlock('CERTIFICATE', der), privateKeyPem: own.keyPem };
}

const isOneName = (subject: string): boolean => {
  const quoted = subject.startsWith('"') || /="/.test(subject);
  return quoted || attributes(subject).length === 1;
};

const san = (...names: readonly Uint8Array[]) => extension('2.5.29.17', false, sequence(...names));
export const dns = (text: string) => contextPrimitive(2, asciiBytes(text));

export const withSan = (a: Tenant, ...names: readonly Uint8Array[]): Promise<Made> =>
  make({ subject: 'san-client', issuer: a.authority, extensions: [CLIENT_AUTH, san(...names)] });

const chain = 'identity from the wrong certificate';
const text = 'names in certificates';

export const identity: readonly Case[] = [
  {
    id: 'identity/victim-behind-own',
    group: chain,
    title: 'an own certificate first, the certificate of another client of the tenant behind it',
    attack: 'The first is verified, the last of the chain names the client.',
    taughtBy: STUFFING,
    expected: 'refused, or called by the first',
    run: async (arena) => {
      return called(
        arena,
        async (a) => show(await leaf(a, 'mallory'), [a.client]),
        (subject) => /mallory/.test(subject) && !/client-of/.test(subject),
      );
    },
  },
  {
    id: 'identity/victim-before-ca',
    group: chain,
    title: 'an own certificate, a self-signed one in the name of the victim, then the CA',
    attack: 'As above, with a certificate that nobody issued.',
    taughtBy: STUFFING,
    expected: 'refused, or called by the first',
    run: async (arena) => {
      const forged = await make({ subject: 'client-of-a' });
      return called(
        arena,
        async (a) => show(await leaf(a, 'mallory'), [forged, a.authority]),
        (subject) => /mallory/.test(subject),
      );
    },
  },
  {
    id: 'identity/stranger-before-rightful',
    group: chain,
    title: 'a certificate of a stranger first, a rightful certificate and its CA behind it',
    attack: 'Some certificate of the chain verifies, and that is taken for the client.',
    taughtBy: STUFFING,
    expected: 'not admitted',
    run: async (arena) => {
      const own = await makeClient({ subject: 'mallory', issuer: arena.stranger });
      return refused(arena, show(own, [arena.a.client, arena.a.authority]));
    },
  },
  {
    id: 'identity/self-signed-before-rightful',
    group: chain,
    title: 'a self-signed certificate first, a rightful certificate behind it',
    attack: 'As above.',
    taughtBy: STUFFING,
    expected: 'not admitted',
    run: async (arena) => refused(arena, show(await make({ subject: 'mallory' }), [arena.a.client, arena.a.authority])),
  },
  {
    id: 'identity/other-tenant-before-rightful',
    group: chain,
    title: 'a certificate of another tenant first, a rightful certificate behind it',
    attack: 'As above.',
    taughtBy: STUFFING,
    expected: 'not admitted',
    run: async (arena) => refused(arena, show(arena.b.client, [arena.a.client, arena.a.authority])),
  },
  {
    id: 'names-in-certificates/separators',
    group: text,
    title: 'a common name with separators: "mallory,CN=admin"',
    attack: 'Written without escaping, one name reads as two, and the application takes the second.',
    expected: 'refused, or written so that it is one name',
    run: async (arena) => called(arena, async (a) => show(await leaf(a, 'mallory,CN=admin')), isOneName),
  },
  {
    id: 'names-in-certificates/slashes',
    group: text,
    title: 'a common name with slashes: "mallory/CN=admin"',
    attack: 'As above, in the one-line form that separates by slashes.',
    expected: 'refused, or written so that it is one name',
    run: async (arena) =>
      called(
        arena,
        async (a) => show(await leaf(a, 'mallory/CN=admin')),
        (subject) => !subject.startsWith('/') && /^"?CN=/.test(subject),
      ),
  },
  {
    id: 'names-in-certificates/line-feed',
    group: text,
    title: 'a common name with a line end and a header behind it',
    attack: 'The name is written into a header, and brings one of its own.',
    expected: 'refused, or no header comes of it',
    run: async (arena) => {
      const subject = `mallory\r\nX-Tenant: ${arena.b.id}\r\nX-Note: x`;
      return called(
        arena,
        (a) => named(a, subject),
        (seen) => !/[\r\n]/.test(seen),
      );
    },
  },
  {
    id: 'names-in-certificates/nul',
    group: text,
    title: 'a common name with a NUL: "admin\\0.mallory"',
    attack: 'A reader of C strings sees the part before the NUL.',
    taughtBy: 'CVE-2009-2408 (NSS)',
    expected: 'refused, or called by all of it',
    run: async (arena) =>
      called(
        arena,
        (a) => named(a, 'admin\0.mallory'),
        (seen) => /mallory/.test(seen) && !seen.includes('\0'),
      ),
  },
  {
    id: 'names-in-certificates/nul-in-san',
    group: text,
    title: 'a DNS name with a NUL',
    attack: 'As above, in the subject alternative name.',
    taughtBy: 'CVE-2009-2408 (NSS)',
    expected: 'refused, or called by its subject',
    run: async (arena) =>
      called(
        arena,
        async (a) => show(await withSan(a, dns('admin\0.mallory.test'))),
        (seen) => /san-client/.test(seen),
      ),
  },
  {
    id: 'names-in-certificates/injected-san',
    group: text,
    title: 'a URI that reads as further entries once it is text: "urn:x, DNS:admin"',
    attack: 'The alternative names are joined to a text and searched.',
    taughtBy: 'CVE-2021-44532 (Node)',
    expected: 'refused, or called by its subject',
    run: async (arena) => {
      const uri = contextPrimitive(6, asciiBytes('urn:x, DNS:admin.agent.localhost'));
      return called(
        arena,
        async (a) => show(await withSan(a, uri)),
        (seen) => /san-client/.test(seen) && !/admin/.test(seen),
      );
    },
  },
  {
    id: 'names-in-certificates/mixed-types',
    group: text,
    title: 'alternative names of every type, odd ones among them',
    attack: 'A type that is not known is read as one that is.',
    taughtBy: 'CVE-2021-44531 (Node)',
    expected: 'refused, or called by its subject',
    run: async (arena) => {
      const other = context(0, oid('1.3.6.1.4.1.311.20.2.3'), context(0, utf8String('admin@a.test')));
      const names = [
        other,
        contextPrimitive(1, asciiBytes('admin@a.test')),
        dns('*.agent.localhost'),
        contextPrimitive(7, Uint8Array.of(127, 0, 0)),
        contextPrimitive(8, Uint8Array.of(42, 3, 4)),
      ];
      return called(
        arena,
        async (a) => show(await withSan(a, ...names)),
        (seen) => /san-client/.test(seen) && !/admin/.test(seen),
      );
    },
  },
];
