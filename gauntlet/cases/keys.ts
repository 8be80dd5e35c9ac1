import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readChildren, readElement } from '../../packages/trust/src/der.ts';
import { basicConstraints, buildCertificate, keyUsage } from '../../packages/trust/src/issuance/certificate-builder.ts';
import { bitString, integer, nullValue, oid, sequence } from '../../packages/trust/src/issuance/der-writer.ts';
import { writeName } from '../../packages/trust/src/issuance/name-writer.ts';
import { writePemBlock } from '../../packages/trust/src/pem.ts';
import { type Arena, type Case, fail, notApplicable, type Outcome, pass } from '../gauntlet.ts';
import { knock } from '../talk.ts';
import { type Made, makeClient } from '../tenants.ts';

const run = promisify(execFile);
const DAY = 86_400_000;
const RSA = '1.2.840.113549.1.1.1';
const SHA256_WITH_RSA = '1.2.840.113549.1.1.11';

/** Whatever is made of it: it comes to an end soon, and a rightful client is served meanwhile and afterwards. */
async function survived(arena: Arena, shown: { certificatePem: string; privateKeyPem: string }): Promise<Outcome> {
  const { target, a } = arena;
  const started = performance.now();
  const [odd, meanwhile] = await Promise.all([
    knock(target, { tenant: a.id, certificate: shown }),
    knock(target, { tenant: a.id, certificate: a.certificate }),
  ]);
  const took = Math.round(performance.now() - started);
  if (!target.admits(meanwhile.text, a.id)) return fail(`a rightful client was refused meanwhile: ${meanwhile.seen}`);
  const after = await knock(target, { tenant: a.id, certificate: a.certificate });
  if (!target.admits(after.text, a.id)) return fail(`then a rightful client is refused: ${after.seen}`);
  return took > 10_000 ? fail(`others waited ${took} ms`) : pass(odd.seen);
}

/** A key of a kind that the suite's own tools don't make, in a certificate of the issuer. */
async function byOpenssl(arena: Arena, issuer: Made, generate: readonly string[]): Promise<Outcome> {
  const folder = arena.folder();
  const openssl = (...args: readonly string[]) => run('openssl', [...args], { cwd: folder });
  writeFileSync(join(folder, 'ca.crt'), issuer.pem);
  writeFileSync(join(folder, 'ca.key'), issuer.keyPem, { mode: 0o600 });
  try {
    await openssl('genpkey', ...generate, '-out', 'client.key');
    await openssl('req', '-new', '-key', 'client.key', '-subj', '/CN=odd key', '-out', 'client.csr');
    const signing = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-set_serial', '7', '-days', '2'];
    await openssl('x509', '-req', '-in', 'client.csr', ...signing, '-out', 'client.crt');
  } catch (error) {
    return notApplicable(`openssl here does not make it: ${(error as Error).message.split('\n')[0]}`);
  }
  const read = (file: string) => readFileSync(join(folder, file), 'utf8');
  const shown = { certificatePem: read('client.crt'), privateKeyPem: read('client.key') };
  const outcome = await survived(arena, shown);
  if (outcome.verdict !== 'pass' || issuer !== arena.stranger) return outcome;
  const answer = await knock(arena.target, { tenant: arena.a.id, certificate: shown });
  return arena.target.admits(answer.text, arena.a.id) ? fail(`admitted: ${answer.seen}`) : outcome;
}

/**
 * A leaf below an intermediate with an RSA key of 16,384 bits. Nobody needs the private key for this: the modulus is
 * random, and so is the leaf's signature. What the server pays for is finding that out.
 */
async function hugeKey(arena: Arena, issuer: Made): Promise<Outcome> {
  const modulus = Uint8Array.from(randomBytes(2_048), (byte, index) =>
    index === 0 ? byte | 0x80 : index === 2_047 ? byte | 1 : byte,
  );
  const algorithm = sequence(oid(RSA), nullValue());
  const rsaKey = bitString(sequence(integer(modulus), integer(Uint8Array.of(1, 0, 1))));
  const subject = writeName({ commonName: 'huge CA' });
  const validity = { notBefore: new Date(Date.now() - DAY), notAfter: new Date(Date.now() + DAY) };
  const huge = await buildCertificate(
    {
      serialNumber: Uint8Array.of(9),
      issuer: issuer.name,
      subject,
      ...validity,
      publicKey: sequence(algorithm, rsaKey),
      extensions: [basicConstraints(true), keyUsage('keyCertSign')],
    },
    issuer.keys.privateKey,
  );
  const leaf = await makeClient({ subject: 'below huge', issuer, keyIds: false });
  const [body] = readChildren(readElement(leaf.der).content);
  if (body === undefined) throw new Error('a certificate has a body');
  const signature = sequence(oid(SHA256_WITH_RSA), nullValue());
  const fields = readChildren(body.content).map(({ bytes }) => Uint8Array.from(bytes));
  // [0] version, serial number, signature, issuer, validity, subject, key, [3] extensions
  const tbs = sequence(...fields.map((field, at) => (at === 2 ? signature : at === 3 ? subject : field)));
  const signed = sequence(
    tbs,
    signature,
    bitString(Uint8Array.from(randomBytes(2_048), (b, i) => (i === 0 ? b & 0x7f : b))),
  );
  const certificatePem = writePemBlock('CERTIFICATE', signed) + writePemBlock('CERTIFICATE', huge);
  const outcome = await survived(arena, { certificatePem, privateKeyPem: leaf.keyPem });
  const { target, a } = arena;
  const answer = await knock(target, { tenant: a.id, certificate: { certificatePem, privateKeyPem: leaf.keyPem } });
  return target.admits(answer.text, a.id) ? fail(`admitted on a random signature: ${answer.seen}`) : outcome;
}

const group = 'keys and algorithms';
const GO = 'CVE-2023-29409 (Go)';
const KINDS: readonly (readonly [string, string, readonly string[]])[] = [
  ['ed448', 'Ed448', ['-algorithm', 'ED448']],
  ['ed25519', 'Ed25519', ['-algorithm', 'ED25519']],
  ['secp256k1', 'EC on secp256k1', ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:secp256k1']],
  ['brainpool', 'EC on brainpoolP256r1', ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:brainpoolP256r1']],
  ['sm2', 'SM2', ['-algorithm', 'SM2']],
  ['rsa-512', 'RSA of 512 bits', ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:512']],
  ['rsa-pss', 'RSA-PSS', ['-algorithm', 'RSA-PSS', '-pkeyopt', 'rsa_keygen_bits:2048']],
];

export const keys: readonly Case[] = [
  ...KINDS.map(([name, title, generate]) => ({
    id: `keys/${name}`,
    group,
    title: `a key of a kind that is rarely met: ${title}`,
    attack: 'Code that was written for RSA and P-256 meets something else: it throws, and takes the process along.',
    expected: 'admitted or refused, promptly; others are served on',
    run: (arena: Arena) => byOpenssl(arena, arena.a.authority, generate),
  })),
  {
    id: 'keys/rsa-16k-trusted',
    group,
    title: 'an intermediate of the tenant with an RSA key of 16,384 bits, and a leaf with a random signature',
    attack: 'One handshake costs as much as thousands.',
    taughtBy: GO,
    expected: 'refused, promptly; others are served on',
    run: (arena) => hugeKey(arena, arena.a.authority),
  },
  {
    id: 'keys/rsa-16k-stranger',
    group,
    title: 'the same below a CA that nobody trusts',
    attack: 'As above, by anybody.',
    taughtBy: GO,
    expected: 'refused, promptly; others are served on',
    run: (arena) => hugeKey(arena, arena.stranger),
  },
];
