// CRLs for tests, right ones and wrong ones.
import { extension } from '../src/issuance/certificate-builder.ts';
import {
  context,
  contextPrimitive,
  type Der,
  element,
  integer,
  octetString,
  sequence,
  smallInteger,
  time,
} from '../src/issuance/der-writer.ts';
import { signed } from '../src/issuance/signing.ts';
import type { Made } from './certificate-maker.ts';

export interface CrlWish {
  readonly issuer: Made;
  /** Who signs it, when that is to be another key than the issuer's. */
  readonly signer?: Made;
  readonly number?: number | null;
  readonly thisUpdate?: Date;
  readonly nextUpdate?: Date | null;
  /** Serial numbers, big-endian. */
  readonly revoked?: Iterable<Uint8Array>;
  /** Of the first entry. */
  readonly entryExtensions?: readonly Der[];
  readonly extensions?: readonly Der[];
  /** Leaves out version and extensions, as OpenSSL does without crl_extensions. */
  readonly v1?: boolean;
}

const HOUR = 3_600_000;

/** A CRL in DER, signed by the issuer's key. */
export function makeCrl(wish: CrlWish): Promise<Der> {
  const { issuer, number = 1, v1 = false } = wish;
  const now = Math.floor(Date.now() / 1000) * 1000;
  const { thisUpdate = new Date(now - HOUR), nextUpdate = new Date(now + 24 * HOUR) } = wish;
  const date = time(thisUpdate);
  const entries: Der[] = [];
  for (const serial of wish.revoked ?? []) {
    // Quicker than the writer: tests make 100,000 of them.
    if (wish.entryExtensions === undefined && serial.length < 64 && (serial[0] ?? 0) < 0x80 && serial[0] !== 0) {
      const size = 2 + serial.length + date.length;
      entries.push(Uint8Array.of(0x30, size, 0x02, serial.length, ...serial, ...date));
      continue;
    }
    const more = entries.length === 0 && wish.entryExtensions !== undefined ? [sequence(...wish.entryExtensions)] : [];
    entries.push(sequence(integer(serial), date, ...more));
  }
  const extensions = [
    extension('2.5.29.35', false, sequence(contextPrimitive(0, issuer.keyId))),
    ...(number === null ? [] : [extension('2.5.29.20', false, smallInteger(number))]),
    ...(wish.extensions ?? []),
  ];
  return signed(
    (algorithm) =>
      sequence(
        ...(v1 ? [] : [smallInteger(1)]),
        algorithm,
        issuer.name,
        date,
        ...(nextUpdate === null ? [] : [time(nextUpdate)]),
        // As one: 100,000 are more than a call takes arguments.
        ...(entries.length === 0 ? [] : [sequence(Buffer.concat(entries))]),
        ...(v1 ? [] : [context(0, sequence(...extensions))]),
      ),
    (wish.signer ?? issuer).keys.privateKey,
  );
}

/** An issuing distribution point with the given fields: tag number and content of each. */
export function distributionPoint(fields: Readonly<Record<number, Uint8Array>>): Der {
  const parts = Object.entries(fields).map(([tag, content]) =>
    tag === '0' ? context(0, content) : contextPrimitive(Number(tag), content),
  );
  return extension('2.5.29.28', true, sequence(...parts));
}

export const deltaIndicator = (base: number): Der => extension('2.5.29.27', true, smallInteger(base));
export const criticalUnknown = (): Der => extension('1.2.3.4', true, octetString(Uint8Array.of(1)));
export const certificateIssuer = (name: Uint8Array): Der => extension('2.5.29.29', true, sequence(element(0xa4, name)));

/** The bytes of a serial number as facts have it. */
export const serialBytes = (serialNumber: string): Uint8Array => Buffer.from(serialNumber.padStart(2, '0'), 'hex');
