import { createHash } from 'node:crypto';
import type { CertificateFacts } from '../certificate-facts.ts';

const hashes = new WeakMap<object, string>();

/** SHA-256 over the SubjectPublicKeyInfo, lower-case hex: names a key, whatever certificates there are for it. */
export function publicKeyHash(facts: Pick<CertificateFacts, 'publicKey'>): string {
  const known = hashes.get(facts);
  if (known !== undefined) return known;
  const hash = createHash('sha256').update(Buffer.from(facts.publicKey, 'hex')).digest('hex');
  hashes.set(facts, hash);
  return hash;
}
