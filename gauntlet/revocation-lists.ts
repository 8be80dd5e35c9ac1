import { writePemBlock } from '../packages/trust/src/pem.ts';
import { makeCrl, serialBytes } from '../packages/trust/test/crl-maker.ts';
import type { Made } from './tenants.ts';

export interface ListWish {
  /** 1 unless given; `thisUpdate` moves along, so that a higher number is a later list. */
  readonly number?: number;
  readonly nextUpdate?: Date;
  /** Signs in the issuer's name. */
  readonly signer?: Made;
}

const MINUTE = 60_000;

/** The PEM text of a CA's revocation list, valid now. */
export async function revocationList(issuer: Made, revoked: readonly Made[], wish: ListWish = {}): Promise<string> {
  const { number = 1, ...rest } = wish;
  const thisUpdate = new Date(Math.floor(Date.now() / 1_000) * 1_000 - 30 * MINUTE + number * MINUTE);
  const serials = revoked.map(({ facts }) => serialBytes(facts.serialNumber));
  return writePemBlock('X509 CRL', await makeCrl({ issuer, revoked: serials, number, thisUpdate, ...rest }));
}
