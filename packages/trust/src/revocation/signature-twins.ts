import { createHash } from 'node:crypto';
import { type DerElement, DerError, expectTag, hex, readChildren, readElement, Tag } from '../der.ts';
import { element, integer, sequence } from '../issuance/der-writer.ts';

/** Orders of the curves that certificates are signed on: SEC 2, 2.4 to 2.6. */
const curveOrders = [
  0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n, // P-256
  0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n, // secp256k1
  0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n, // P-384
  0x01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n, // P-521
];

/**
 * SHA-256 fingerprints under which the same certificate can be presented as well. An ECDSA signature (r, s) stays valid as
 * (r, n - s), and a certificate's fingerprint covers its signature: without this, the thief of a denied certificate would
 * turn s around and come back under a fingerprint that nobody has denied. Empty for other kinds of signature.
 */
export function twinFingerprints(der: Uint8Array): readonly string[] {
  try {
    const [body, algorithm, signature] = readChildren(readElement(der).content);
    const bits = expectTag(signature, Tag.BIT_STRING, 'the signature').content;
    const [r, s] = readChildren(expectTag(readElement(bits, 1), Tag.SEQUENCE, 'an ECDSA signature').content);
    if (body === undefined || algorithm === undefined || r === undefined || s === undefined) return [];
    return turned(s).map((other) => {
      const value = sequence(r.bytes, other);
      const twin = sequence(body.bytes, algorithm.bytes, element(Tag.BIT_STRING, Uint8Array.of(0), value));
      return createHash('sha256').update(twin).digest('hex');
    });
  } catch (error) {
    if (error instanceof DerError) return []; // the bits of an RSA signature are no DER
    throw error;
  }
}

/** n - s for each curve that it can be of: which one it is only the issuer's key would tell. */
function turned(s: DerElement): readonly Uint8Array[] {
  const value = BigInt(`0x${hex(expectTag(s, Tag.INTEGER, 's').content) || '0'}`);
  return curveOrders
    .filter((order) => value > 0n && value < order)
    .map((order) => integer(Buffer.from((order - value).toString(16).padStart(132, '0'), 'hex')));
}
