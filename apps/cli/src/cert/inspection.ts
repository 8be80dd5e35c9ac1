import { X509Certificate } from 'node:crypto';
import {
  ChainError,
  findWeaknesses,
  orderChain,
  publicKeyHash,
  type SubjectAlternativeName,
  type Weakness,
} from '@sallyport/trust';
import type { Found, FoundCertificate, FoundRequest } from './certificate-input.ts';
import { type FoundKey, flawsForDelegate, type KeyFlaw, keyAlgorithmOf, publicKeyOf } from './private-key-input.ts';

const DAY_MS = 86_400_000;

/** Something that is weak, of a certificate, a request or a key. */
export interface Flaw {
  readonly code: Weakness['code'] | KeyFlaw['code'] | 'KEY_MISMATCH' | 'SIGNATURE_INVALID';
  /** True when it keeps a delegate from being admitted. */
  readonly fatal: boolean;
  readonly message: string;
  readonly remedy: string;
}

export type Inspection = ReturnType<typeof inspect>;
export type CertificateReport = Inspection['certificates'][number];
export type RequestReport = Inspection['requests'][number];
export type KeyReport = Inspection['keys'][number];

/** What a person needs to see of certificates, requests and keys, and what of it belongs together. */
export function inspect(found: Found, now: Date) {
  const keys = found.keys.map((key) => reportKey(key, found));
  return {
    certificates: found.certificates.map((certificate) => reportCertificate(certificate, found, now)),
    requests: found.requests.map((request) => reportRequest(request, found)),
    keys,
    chain: chainOf(found.certificates),
    keysWithoutCertificate: keys
      .filter(({ locked, belongsTo }) => !locked && belongsTo.length === 0)
      .map(({ file, place }) => ({ file, place })),
    notLookedAt: found.others,
  };
}

/** False also for a key that is locked. */
export const belongs = ({ pem }: FoundCertificate, { key }: FoundKey): boolean =>
  key !== null && new X509Certificate(pem).checkPrivateKey(key);

const belongsToRequest = ({ facts }: FoundRequest, { key }: FoundKey): boolean =>
  key !== null && publicKeyOf(key) === facts.publicKey;

const at = ({ file, place }: { readonly file: string; readonly place: string }): string => `${file}, ${place}`;

function reportCertificate(found: FoundCertificate, { certificates, keys, requests }: Found, now: Date) {
  const { file, place, facts, fingerprint1, keyInside } = found;
  const key = keys.find((candidate) => belongs(found, candidate));
  const beside = keyInside ? `${file}, beside it` : null;
  const privateKey = key === undefined ? beside : at(key);
  const weaknesses: Flaw[] = findWeaknesses(facts, now);
  // A CA's key is kept elsewhere, and other clients' certificates have keys of their own: then nothing is amiss.
  const clients = certificates.filter((each) => !each.facts.isCa);
  const stray = keys.find(
    (each) =>
      each.key !== null &&
      !certificates.some((other) => belongs(other, each)) &&
      !requests.some((request) => belongsToRequest(request, each)),
  );
  if (privateKey === null && !facts.isCa && clients.length === 1 && stray !== undefined) {
    weaknesses.unshift({
      code: 'KEY_MISMATCH',
      fatal: true,
      message: `The key in ${stray.file} does not belong to "${facts.subject}": with it no TLS connection can be made.`,
      remedy:
        'Name the key that was made with the certificate; when it is lost, issue a new pair ("sallyport cert client").',
    });
  }
  return {
    file,
    place,
    subject: facts.subject,
    issuer: facts.issuer,
    subjectAlternativeNames: facts.sans.map(nameText),
    serialNumber: facts.serialNumber,
    notBefore: facts.notBefore.getTime(),
    notAfter: facts.notAfter.getTime(),
    daysLeft: Math.floor((facts.notAfter.getTime() - now.getTime()) / DAY_MS),
    isCa: facts.isCa,
    version: facts.version,
    keyAlgorithm: facts.keyAlgorithm,
    signatureAlgorithm: facts.signatureAlgorithm,
    purposes: facts.purposes,
    fingerprint: facts.fingerprint256,
    fingerprintSha1: fingerprint1,
    publicKeySha256: publicKeyHash(facts),
    privateKey,
    weaknesses,
  };
}

function reportRequest(request: FoundRequest, { keys }: Found) {
  const { file, place, facts } = request;
  const key = keys.find((candidate) => belongsToRequest(request, candidate));
  return {
    file,
    place,
    subject: facts.subject,
    subjectAlternativeNames: facts.sans.map(nameText),
    keyAlgorithm: facts.keyAlgorithm,
    purposes: facts.purposes,
    signatureValid: facts.signatureValid,
    publicKeySha256: publicKeyHash(facts),
    privateKey: key === undefined ? null : at(key),
    weaknesses: [...flawsOfRequest(request)],
  };
}

function* flawsOfRequest({ file, facts }: FoundRequest): Generator<Flaw> {
  if (facts.signatureValid === false) {
    const message = `The request in ${file} is not signed by its own key: it was changed, and nobody signs it.`;
    yield { code: 'SIGNATURE_INVALID', fatal: true, message, remedy: 'Make it anew: "sallyport cert csr".' };
  }
  if (facts.sans.length === 0) {
    const message = `The request in ${file} asks for no subject alternative name, so its certificate can be told from others by its subject only.`;
    yield { code: 'NO_SAN', fatal: false, message, remedy: 'Make it with "sallyport cert csr --name NAME".' };
  }
  if (facts.keyAlgorithm.startsWith('EC ')) {
    const message = `The request in ${file} is for an EC key (${facts.keyAlgorithm}), which the Java delegate can't read.`;
    yield { code: 'EC_KEY', fatal: false, message, remedy: 'For such a delegate make it with an RSA key.' };
  }
  const rsa = /^RSA (\d+)$/.exec(facts.keyAlgorithm);
  if (rsa !== null && Number(rsa[1]) < 2048) {
    const message = `The request in ${file} has a key of ${rsa[1]} bits, which OpenSSL refuses.`;
    yield { code: 'SHORT_KEY', fatal: true, message, remedy: 'Make it anew with RSA 2048 or more.' };
  }
}

function reportKey(key: FoundKey, { certificates, requests }: Found) {
  const { file, place, form, encoding, encrypted } = key;
  const owners = certificates.filter((certificate) => belongs(certificate, key));
  const asked = requests.filter((request) => belongsToRequest(request, key));
  const onlyAuthorities = [...owners, ...(key.key === null ? certificates : [])];
  // By itself it may as well be the key of a CA, which is kept as safe as can be.
  const known = certificates.length + requests.length > 0;
  const ofCa = onlyAuthorities.length > 0 && onlyAuthorities.every(({ facts }) => facts.isCa);
  return {
    file,
    place,
    form,
    encoding,
    encrypted,
    /** Encrypted, and no passphrase was given: what it belongs to is not known. */
    locked: key.key === null,
    algorithm: key.key === null ? null : keyAlgorithmOf(key.key),
    belongsTo: [...owners, ...asked].map(at),
    weaknesses: ofCa ? [] : flawsForDelegate(key).map((flaw) => (known ? flaw : { ...flaw, fatal: false })),
  };
}

const nameText = ({ type, value }: SubjectAlternativeName): string => `${type}:${value}`;

export type ChainReport =
  | { readonly problem: string }
  | { readonly inOrder: boolean; readonly unrelated: readonly string[] };

/** How the certificates lie as a chain; null when there is nothing to put in order. */
function chainOf(certificates: readonly FoundCertificate[]): ChainReport | null {
  if (certificates.length < 2 || certificates.every(({ facts }) => facts.isCa)) return null;
  try {
    const { leaf, intermediates, root, unrelated } = orderChain(certificates.map(({ facts }) => facts));
    const wanted = [leaf, ...intermediates, ...(root === null ? [] : [root])].map((each) => each.fingerprint256);
    const given = certificates
      .map(({ facts }) => facts.fingerprint256)
      .filter((fingerprint) => wanted.includes(fingerprint));
    const inOrder = wanted.every((fingerprint, index) => given[index] === fingerprint);
    return { inOrder, unrelated: unrelated.map(({ subject }) => subject) };
  } catch (error) {
    // Two client certificates side by side are no chain, and no reason not to show them.
    if (error instanceof ChainError) return { problem: error.message };
    throw error;
  }
}
