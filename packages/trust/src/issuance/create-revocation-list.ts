import { Tag } from '../der.ts';
import { writePemBlock } from '../pem.ts';
import { authorityKeyIdentifier, extension } from './certificate-builder.ts';
import { context, type Der, element, integer, sequence, smallInteger, time } from './der-writer.ts';
import { IssuanceError } from './issuance-error.ts';
import { type IssuingAuthority, openAuthority } from './issuing-authority.ts';
import { signed } from './signing.ts';

export interface RevocationListRequest {
  readonly authority: IssuingAuthority;
  /** Serial numbers of every certificate that is revoked, not only of those since the last list: hex, as facts have them. */
  readonly revoked: readonly string[];
  /** Higher than that of the list before. */
  readonly number: number;
  readonly now: Date;
  /** When the next list comes, and this one expires. */
  readonly nextUpdate: Date;
}

/** Makes a complete CRL (RFC 5280 5), PEM. Small lists: it is written in one go. @throws IssuanceError */
export async function createRevocationList(request: RevocationListRequest): Promise<string> {
  const { revoked, number, now, nextUpdate } = request;
  const { name, keyId, signingKey, facts } = await openAuthority(request.authority, now);
  if (facts.keyUsage !== null && !facts.keyUsage.includes('cRLSign')) {
    throw new IssuanceError(
      'NOT_A_CA',
      `The key usage of the CA "${facts.subject}" has no cRLSign: it can't sign CRLs.`,
    );
  }
  if (!(nextUpdate > now)) {
    throw new IssuanceError('INVALID_LIFETIME', 'The next CRL has to come after this one. Give a later nextUpdate.');
  }
  const date = time(now);
  const entries = revoked.map((serialNumber) => sequence(integer(serialBytes(serialNumber)), date));
  const extensions = [authorityKeyIdentifier(keyId), extension('2.5.29.20', false, smallInteger(number))];
  const der = await signed(
    (algorithm) =>
      sequence(
        ...[smallInteger(1), algorithm, name, date, time(nextUpdate)],
        ...(entries.length === 0 ? [] : [joined(entries)]),
        context(0, sequence(...extensions)),
      ),
    signingKey,
  );
  return writePemBlock('X509 CRL', der);
}

/** In pieces: more entries than a call takes arguments. */
function joined(entries: readonly Der[]): Der {
  const content = new Uint8Array(entries.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const entry of entries) {
    content.set(entry, offset);
    offset += entry.length;
  }
  return element(Tag.SEQUENCE, content);
}

function serialBytes(serialNumber: string): Uint8Array {
  const pairs = (serialNumber.length % 2 === 0 ? serialNumber : `0${serialNumber}`).match(/[0-9A-Fa-f]{2}/g) ?? [];
  if (!/^[0-9A-Fa-f]+$/.test(serialNumber)) throw new TypeError(`"${serialNumber}" is no serial number`);
  return Uint8Array.from(pairs, (pair) => Number.parseInt(pair, 16));
}
