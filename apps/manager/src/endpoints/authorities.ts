import { type CaAuthority, CaBundleError, readCaBundle } from '@sallyport/trust';

/** A moment before any CA's end, so that a bundle in which all have expired is read like every other one. */
const BEFORE_ANY_EXPIRY = new Date(0);

/** The CAs of a stored bundle, expired ones included. Empty when it cannot be read: then it trusts nobody. */
export function authoritiesOf(caCertificates: string): readonly CaAuthority[] {
  try {
    return readCaBundle(caCertificates, BEFORE_ANY_EXPIRY).authorities;
  } catch (error) {
    if (error instanceof CaBundleError) return [];
    throw error;
  }
}

/** Whether the CA can verify anybody at `now`. */
export const isInDate = ({ notBefore, notAfter }: CaAuthority, now: Date): boolean =>
  notBefore <= now && now < notAfter;
