import type { CertificateFacts } from '../certificate-facts.ts';
import { readCertificateParts } from '../certificate-parts.ts';
import { DerError, expectTag, readChildren, Tag } from '../der.ts';
import { describeDer } from '../describe-der.ts';
import { PemError, readPemBlocks } from '../pem.ts';
import { quoteSubject, wordDate } from '../wording.ts';
import type { Der } from './der-writer.ts';
import { IssuanceError } from './issuance-error.ts';
import { readPrivateKey } from './private-key.ts';
import { importPublicKey } from './signing.ts';

/** A CA with its key, as PEM. The key stays where this runs. */
export interface IssuingAuthority {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly passphrase?: string;
}

const CLOCK_SKEW = 5 * 60_000;

/** A CA that can sign: its certificate is a CA, in date at the moment asked, and the key is its own. */
export interface OpenedAuthority {
  readonly facts: CertificateFacts;
  /** DER of its name, to be copied into what it issues. */
  readonly name: Uint8Array;
  readonly keyId: Uint8Array;
  readonly signingKey: CryptoKey;
}

/** @throws IssuanceError */
export async function openAuthority(authority: IssuingAuthority, now: Date): Promise<OpenedAuthority> {
  const { facts, der } = await readCertificatePem(authority.certificatePem, 'The CA certificate');
  if (!facts.isCa) {
    throw new IssuanceError('NOT_A_CA', `${quoteSubject(facts)} is not a CA certificate and can't issue. Give ca.crt.`);
  }
  // A CA that was just made by a clock a little ahead is no mistake.
  if (now.getTime() + CLOCK_SKEW < facts.notBefore.getTime() || now >= facts.notAfter) {
    throw new IssuanceError(
      'AUTHORITY_OUT_OF_DATE',
      `The CA ${quoteSubject(facts)} is valid from ${wordDate(facts.notBefore)} to ${wordDate(facts.notAfter)} only. Use a CA that is in date.`,
    );
  }
  const signingKey = await readPrivateKey(authority.privateKeyPem, authority.passphrase);
  const parts = readCertificateParts(der);
  if (!(await belongTogether(signingKey, parts.publicKey.bytes))) {
    throw new IssuanceError(
      'KEY_MISMATCH',
      `The key is not the one of the CA ${quoteSubject(facts)}. Give its ca.key.`,
    );
  }
  return { facts, name: parts.subject.bytes, keyId: await keyIdOf(facts, parts.publicKey.bytes), signingKey };
}

/** The first certificate of a PEM text. @throws IssuanceError CERTIFICATE_UNREADABLE, opening with `what`. */
export async function readCertificatePem(pem: string, what: string): Promise<{ facts: CertificateFacts; der: Der }> {
  try {
    const der = readPemBlocks(pem).find(({ label }) => label === 'CERTIFICATE')?.der;
    if (der == null) throw new DerError('no "-----BEGIN CERTIFICATE-----" block with base64 in it');
    return { facts: await describeDer(der), der };
  } catch (error) {
    if (!(error instanceof DerError) && !(error instanceof PemError)) throw error;
    throw new IssuanceError(
      'CERTIFICATE_UNREADABLE',
      `${what} can't be read: ${error.message}. Give a certificate in PEM form.`,
    );
  }
}

/**
 * Whether a private key belongs to a public one: signs something and verifies it, as the TLS peer would. False, too, for
 * a public key of a kind that we don't sign with.
 */
export async function belongTogether(privateKey: CryptoKey, publicKeyInfo: Uint8Array): Promise<boolean> {
  const { name } = privateKey.algorithm;
  const parameters = name === 'ECDSA' ? { name, hash: 'SHA-256' } : { name };
  const probe = crypto.getRandomValues(new Uint8Array(32));
  const signature = await crypto.subtle.sign(parameters, privateKey, probe);
  try {
    const publicKey = await importPublicKey(publicKeyInfo);
    return publicKey.algorithm.name === name && (await crypto.subtle.verify(parameters, publicKey, signature, probe));
  } catch (error) {
    if (error instanceof DerError) return false;
    throw error;
  }
}

/** The issuer's own subject key id when it has one, for OpenSSL compares them; else the usual hash of its key. */
async function keyIdOf(facts: CertificateFacts, publicKeyInfo: Uint8Array): Promise<Uint8Array> {
  if (facts.subjectKeyId === null) return await keyIdentifier(publicKeyInfo);
  return Uint8Array.from(facts.subjectKeyId.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** RFC 5280 4.2.1.2, method 1: SHA-1 over the bits of the key. An identifier, not a protection. */
export async function keyIdentifier(publicKeyInfo: Uint8Array): Promise<Der> {
  const [, key] = readChildren(readChildren(publicKeyInfo)[0]?.content ?? new Uint8Array());
  const bits = expectTag(key, Tag.BIT_STRING, 'the public key').content.subarray(1);
  return new Uint8Array(await crypto.subtle.digest('SHA-1', Uint8Array.from(bits)));
}
