import { constants, createPublicKey, type KeyObject, verify } from 'node:crypto';
import type { CaAuthority } from '../ca-authority.ts';
import { sameName } from '../issuer-evidence.ts';
import { listSubjects, quoteSubject, shorten } from '../wording.ts';
import type { UnverifiedRevocationList } from './revocation-list.ts';
import { RevocationListError } from './revocation-list-error.ts';

const hashes: Readonly<Record<string, string>> = { 'SHA-256': 'sha256', 'SHA-384': 'sha384', 'SHA-512': 'sha512' };
const ownHash = ['Ed25519', 'Ed448', 'ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'];

/**
 * Which CA of the bundle signed the list. On return its name is the list's issuer, its key signed every byte of the list,
 * and its key usage, when it has one, allows that (RFC 5280 6.3.3 f and g). The hashing of a large list happens off the
 * event loop.
 * @throws RevocationListError
 */
export async function verifyRevocationList(
  list: UnverifiedRevocationList,
  authorities: readonly CaAuthority[],
): Promise<CaAuthority> {
  const { issuer, issuerKeyId, signed } = list;
  const whose = `The CRL of "${shorten(issuer)}"`;
  const named = authorities.filter(
    (ca) =>
      sameName(ca.subject, issuer) &&
      (issuerKeyId === null || ca.subjectKeyId === null || ca.subjectKeyId === issuerKeyId),
  );
  if (named.length === 0) {
    throw new RevocationListError(
      'UNKNOWN_ISSUER',
      `${whose} was not issued by a CA of the endpoint's bundle (${listSubjects(authorities) || 'no CA'}). Send the CRL of one of these, or add that CA to the bundle first.`,
    );
  }
  const able = named.filter(({ keyUsage }) => keyUsage === null || keyUsage.includes('cRLSign'));
  const [first] = named;
  if (able.length === 0 && first !== undefined) {
    throw new RevocationListError(
      'ISSUER_MAY_NOT_SIGN',
      `${whose} can't be used: the key usage of the CA ${quoteSubject(first)} has no cRLSign. Issue the CA certificate anew with it.`,
    );
  }
  const [family = '', hash] = signed.algorithm.split(' ');
  if (!ownHash.includes(signed.algorithm) && hashes[hash ?? ''] === undefined) {
    throw new RevocationListError(
      'WEAK_SIGNATURE',
      `${whose} is signed with ${signed.algorithm}, which is not accepted. Sign it with SHA-256.`,
    );
  }
  for (const ca of able) if (await hasSigned(ca, signed, family, hashes[hash ?? ''] ?? null)) return ca;
  throw new RevocationListError(
    'WRONG_SIGNATURE',
    `${whose} was not signed by the key of that CA in the endpoint's bundle: the list is damaged or forged, or the CA was made anew under the same name.`,
  );
}

function hasSigned(
  ca: CaAuthority,
  { body, signature }: UnverifiedRevocationList['signed'],
  family: string,
  hash: string | null,
): Promise<boolean> {
  const key = createPublicKey({ key: Buffer.from(ca.publicKey, 'hex'), format: 'der', type: 'spki' });
  if (!fits(key, family)) return Promise.resolve(false);
  const padding =
    family === 'RSA-PSS'
      ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_AUTO }
      : {};
  return new Promise((resolve) => {
    // An error of OpenSSL's here means a signature that is not even in form.
    verify(hash, body, { key, ...padding }, signature, (error, isRight) => resolve(error === null && isRight));
  });
}

/** The algorithm that the list names has to be one of the key's own: the key decides what a signature is. */
function fits(key: KeyObject, family: string): boolean {
  const type: string | undefined = key.asymmetricKeyType;
  if (family === 'RSA') return type === 'rsa';
  if (family === 'RSA-PSS') return type === 'rsa' || type === 'rsa-pss';
  return family === 'ECDSA' ? type === 'ec' : type === family.toLowerCase();
}
