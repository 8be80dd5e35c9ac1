import { RevocationListError } from './revocation-list-error.ts';
import { TimeSlices } from './time-slices.ts';

/** As many as a CA bundle may hold CAs. */
export const MOST_LISTS = 32;

const LABEL = 'X509 CRL';
/** Base64 characters decoded in one go; a multiple of 4, of which about 0.2 ms come. */
const PIECE = 64 * 1024;

/**
 * The lists of an upload, as DER: PEM text with one or several "X509 CRL" blocks, or the DER of one list. What surrounds
 * PEM blocks (what `openssl crl -text` writes) is passed over. Nothing is read yet. Large uploads are taken in slices.
 * @throws RevocationListError
 */
export async function splitRevocationLists(upload: Uint8Array): Promise<Uint8Array[]> {
  const bytes = Buffer.from(upload.buffer, upload.byteOffset, upload.byteLength);
  if (bytes.length === 0) {
    throw new RevocationListError('EMPTY', 'The upload is empty. Send the CRL as your CA publishes it, PEM or DER.');
  }
  // Somebody's CA key in an upload is a key that has left its owner: say so before anything else, and keep nothing.
  if (bytes.includes('PRIVATE KEY-----')) {
    throw new RevocationListError(
      'PRIVATE_KEY',
      'The upload holds a PRIVATE KEY. It was not stored. Send the CRL only; if the key is the real one, take it for disclosed and make a new CA.',
    );
  }
  if (bytes[0] === 0x30) return [upload];
  const lists: Uint8Array[] = [];
  const slices = new TimeSlices();
  for (let at = bytes.indexOf('-----BEGIN '); at >= 0; at = bytes.indexOf('-----BEGIN ', at)) {
    if (lists.length === MOST_LISTS) {
      throw new RevocationListError(
        'TOO_MANY_LISTS',
        `The upload holds more than ${MOST_LISTS} CRLs. Send one for each CA of the endpoint's bundle.`,
      );
    }
    const labelEnd = bytes.indexOf('-----', at + 11);
    const label = bytes.toString('latin1', at + 11, Math.min(labelEnd < 0 ? bytes.length : labelEnd, at + 75));
    if (label !== LABEL) {
      throw new RevocationListError(
        'UNEXPECTED_BLOCK',
        `Block ${lists.length + 1} of the upload is a "${label.replace(/[^A-Z0-9 ]/g, '?')}". Send CRLs only ("-----BEGIN ${LABEL}-----").`,
      );
    }
    const end = bytes.indexOf(`-----END ${LABEL}-----`, labelEnd);
    const next = bytes.indexOf('-----BEGIN ', labelEnd);
    if (end < 0 || (next >= 0 && next < end)) {
      throw new RevocationListError(
        'MALFORMED_PEM',
        `CRL ${lists.length + 1} of the upload is cut off: its END line is missing. Send the whole file.`,
      );
    }
    lists.push(await decode(bytes.subarray(labelEnd + 5, end), lists.length + 1, slices));
    at = end;
  }
  if (lists.length === 0) {
    throw new RevocationListError(
      'MALFORMED_PEM',
      `The upload is neither PEM ("-----BEGIN ${LABEL}-----") nor DER. Send the CRL as your CA publishes it.`,
    );
  }
  return lists;
}

async function decode(body: Buffer, number: number, slices: TimeSlices): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  let carried = '';
  for (let at = 0; at < body.length; at += PIECE) {
    const text = carried + body.toString('latin1', at, at + PIECE).replace(/[ \t\r\n]+/g, '');
    const isLast = at + PIECE >= body.length;
    const whole = isLast ? text.length : text.length - (text.length % 4);
    const piece = text.slice(0, whole);
    carried = text.slice(whole);
    // Padding belongs to the very end; the decoder would stop at it and pass over other characters without a word.
    if (!(isLast ? /^[A-Za-z0-9+/]*={0,2}$/ : /^[A-Za-z0-9+/]*$/).test(piece) || piece.length % 4 !== 0) {
      throw new RevocationListError(
        'MALFORMED_PEM',
        `CRL ${number} of the upload is not base64. Send the file as the CA wrote it.`,
      );
    }
    parts.push(Buffer.from(piece, 'base64'));
    await slices.rest();
  }
  return Buffer.concat(parts);
}
