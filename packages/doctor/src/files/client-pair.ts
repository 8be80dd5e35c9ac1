import { createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto';
import { CertificateFileError, type ClientIdentity, parseCertificates, parseClientIdentity } from '@sallyport/client';
import { type CertificateFacts, describeCertificate, findWeaknesses, type Weakness } from '@sallyport/trust';
import type { Problem } from '../setup.ts';
import type { FileLook } from './file-source.ts';
import { otherThanCertificates, otherThanKey } from './other-form.ts';

/** A client certificate file and its key file, read as a TLS client would. */
export interface ClientPair {
  /** As they stand in the file; empty when the file does not parse. */
  readonly certificates: readonly CertificateFacts[];
  /** The one that the key belongs to; the first when it belongs to none. */
  readonly leaf: CertificateFacts | null;
  /** What the files themselves make impossible, by the check that tells it. */
  readonly pairProblem: Problem | null;
  readonly orderProblem: Problem | null;
  readonly weaknesses: readonly Weakness[];
  /** Null when no connection can be made with these files. */
  readonly identity: ClientIdentity | null;
}

/** Reads both texts. When `identity` is set, OpenSSL takes the pair; nothing is said about trust. */
export function readClientPair(certificate: FileLook, key: FileLook, now: Date): ClientPair {
  const from = { certificate: certificate.path, key: key.path };
  const nothing: ClientPair = {
    certificates: [],
    leaf: null,
    pairProblem: null,
    orderProblem: null,
    weaknesses: [],
    identity: null,
  };
  const certificatePem = certificate.text ?? '';
  const keyPem = key.text ?? '';
  let chain: X509Certificate[];
  try {
    chain = parseCertificates(certificatePem, from.certificate);
  } catch (error) {
    const swapped = /PRIVATE KEY-----/.test(certificatePem) && /BEGIN CERTIFICATE-----/.test(keyPem);
    const other = /-----BEGIN CERTIFICATE-----/.test(certificatePem)
      ? null
      : otherThanCertificates(from.certificate, certificatePem);
    return { ...nothing, pairProblem: swapped ? SWAPPED : (other ?? problemOf(error)) };
  }
  const place = placeOf(keyPem, chain);
  const certificates = chain.map(describeCertificate);
  const leaf = certificates[Math.max(0, place)] ?? null;
  const weaknesses = leaf === null ? [] : findWeaknesses(leaf, now);
  const read = { ...nothing, certificates, leaf, weaknesses };
  if (place > 0) {
    const what = `${from.certificate} has the client certificate in place ${place + 1} of ${chain.length}, and it must come first.`;
    const remedy = 'Put it in order: "sallyport cert chain FILE --out client.crt" does it.';
    return { ...read, orderProblem: { what, remedy } };
  }
  try {
    return { ...read, identity: parseClientIdentity(certificatePem, keyPem, from) };
  } catch (error) {
    // OpenSSL says no to a weak key as well: then that is what is wrong, and it has its own check.
    const weak = weaknesses.some(({ code }) => code === 'SHORT_KEY' || code === 'WEAK_SIGNATURE');
    const other = place < 0 ? otherThanKey(from.key, keyPem) : null;
    return { ...read, pairProblem: weak && place === 0 ? null : (other ?? problemOf(error)) };
  }
}

const SWAPPED: Problem = {
  what: 'The certificate file holds the private key and the key file the certificate: they are swapped.',
  remedy: 'Swap DELEGATE_CLIENT_CERTIFICATE_PATH and DELEGATE_CLIENT_CERTIFICATE_KEY_PATH, or the files.',
};

/** The place of the certificate that the key belongs to, -1 when it belongs to none or cannot be read. */
function placeOf(keyPem: string, chain: readonly X509Certificate[]): number {
  let key: KeyObject;
  try {
    key = createPrivateKey(keyPem);
  } catch {
    // parseClientIdentity says what is wrong with it, in words that never quote the key.
    return -1;
  }
  return chain.findIndex((certificate) => certificate.checkPrivateKey(key));
}

function problemOf(error: unknown): Problem {
  if (error instanceof CertificateFileError) return { what: error.message, remedy: error.remedy };
  return {
    what: 'The certificate and the key cannot be used.',
    remedy: 'Issue a new pair with "sallyport cert client".',
  };
}
