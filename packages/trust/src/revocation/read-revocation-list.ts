import { readSignatureAlgorithm } from '../algorithms.ts';
import { Extension, readExtensions, sequenceIn } from '../certificate-parts.ts';
import {
  type DerElement,
  DerError,
  expectTag,
  hex,
  readChildren,
  readElement,
  readOid,
  readTime,
  Tag,
} from '../der.ts';
import { readName } from '../distinguished-name.ts';
import { shorten } from '../wording.ts';
import type { UnverifiedRevocationList } from './revocation-list.ts';
import { RevocationListError } from './revocation-list-error.ts';
import { type RevokedSerials, SerialCollector } from './revoked-serials.ts';
import { TimeSlices } from './time-slices.ts';

const CRL_NUMBER = '2.5.29.20';
const DELTA_INDICATOR = '2.5.29.27';
const DISTRIBUTION_POINT = '2.5.29.28';
const CERTIFICATE_ISSUER = '2.5.29.29';
/** What an entry may say beside its number without changing which certificate is meant: reason, invalidityDate, hold instruction. */
const harmlessInEntries = new Set(['2.5.29.21', '2.5.29.24', '2.5.29.23']);

/**
 * Reads a CRL (RFC 5280 5) from its DER, in slices: 100,000 entries never hold the event loop for more than some
 * milliseconds. On return the list is complete, of one issuer, and says nothing that is not understood here; its dates
 * and its signature are not looked at yet.
 * @throws RevocationListError
 */
export async function readRevocationList(der: Uint8Array): Promise<UnverifiedRevocationList> {
  try {
    return await read(der);
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    throw new RevocationListError(
      'MALFORMED_LIST',
      `The CRL can't be read: ${error.message}. Send the file as the CA wrote it.`,
    );
  }
}

/** Of anything but the entries, in bytes. What is read in one go is bounded, or an upload made for it would hold the event loop. */
const LARGEST_FIELD = 16 * 1024;
const LARGEST_ENTRY = 1024;

async function read(der: Uint8Array): Promise<UnverifiedRevocationList> {
  const list = expectTag(readElement(der), Tag.SEQUENCE, 'the CRL');
  if (list.bytes.length !== der.length) throw new DerError('bytes follow the CRL');
  const outside = new Fields(list.content);
  const body = outside.take('the body of the CRL', Tag.SEQUENCE, Number.POSITIVE_INFINITY);
  const algorithm = outside.take('the signature algorithm', Tag.SEQUENCE);
  const bits = outside.take('the signature', Tag.BIT_STRING).content;
  if (bits[0] !== 0) throw new DerError('its signature is not of whole bytes');
  outside.end();

  const fields = new Fields(body.content);
  if (fields.tag === Tag.INTEGER) fields.take('the version', Tag.INTEGER);
  // RFC 5280 5.1.1.2: the same twice, and only the inner one is signed.
  if (hex(fields.take('the signature algorithm of the CRL', Tag.SEQUENCE).bytes) !== hex(algorithm.bytes)) {
    throw new DerError('it names two different signature algorithms');
  }
  const issuer = readName(fields.take('the issuer of the CRL', Tag.SEQUENCE)).text;
  const thisUpdate = fields.takeTime('thisUpdate');
  const nextUpdate = fields.isAtTime ? fields.takeTime('nextUpdate') : null;
  const entries =
    fields.tag === Tag.SEQUENCE ? fields.take('the entries', Tag.SEQUENCE, Number.POSITIVE_INFINITY).content : null;
  const extensions = fields.tag === 0xa0 ? fields.take('the extensions of the CRL', 0xa0).content : null;
  fields.end();
  if (nextUpdate === null) {
    throw new RevocationListError(
      'NO_NEXT_UPDATE',
      `The CRL of "${shorten(issuer)}" does not say when the next one comes (no nextUpdate), so nobody could tell when it is out of date. Make it with a lifetime, such as "openssl ca -gencrl -crldays 7".`,
    );
  }
  return {
    issuer,
    ...readListExtensions(extensions, issuer),
    thisUpdate,
    nextUpdate,
    serials: await readEntries(entries ?? new Uint8Array(), issuer),
    signed: { body: body.bytes, algorithm: readSignatureAlgorithm(algorithm), signature: bits.subarray(1) },
  };
}

/** The elements of a constructed element, one after the other as they are asked for. */
class Fields {
  readonly #content: Uint8Array;
  #offset = 0;

  constructor(content: Uint8Array) {
    this.#content = content;
  }

  /** Of the next element; null at the end. */
  get tag(): number | null {
    return this.#content[this.#offset] ?? null;
  }

  get isAtTime(): boolean {
    return this.tag === Tag.UTC_TIME || this.tag === Tag.GENERALIZED_TIME;
  }

  take(what: string, tag: number, largest = LARGEST_FIELD): DerElement {
    if (this.tag === null) throw new DerError(`${what} is missing`);
    const element = expectTag(readElement(this.#content, this.#offset), tag, what);
    if (element.bytes.length > largest) throw new DerError(`${what} has ${element.bytes.length} bytes`);
    this.#offset += element.bytes.length;
    return element;
  }

  takeTime(what: string): Date {
    return readTime(this.take(what, this.tag === Tag.GENERALIZED_TIME ? Tag.GENERALIZED_TIME : Tag.UTC_TIME));
  }

  end(): void {
    if (this.tag !== null) throw new DerError(`an unexpected element with the tag 0x${this.tag.toString(16)}`);
  }
}

function readListExtensions(
  der: Uint8Array | null,
  issuer: string,
): Pick<UnverifiedRevocationList, 'issuerKeyId' | 'number' | 'namesDistributionPoint'> {
  if (der === null) return { issuerKeyId: null, number: null, namesDistributionPoint: false };
  const { values, critical } = readExtensions(der);
  const whose = `The CRL of "${shorten(issuer)}"`;
  // A delta lists changes only: taken for a whole list it would let everybody in whom an earlier list keeps out.
  if (values.has(DELTA_INDICATOR)) {
    throw new RevocationListError(
      'DELTA_LIST',
      `${whose} is a delta CRL, which lists only what changed. Send the complete CRL of the CA.`,
    );
  }
  const scope = values.get(DISTRIBUTION_POINT);
  if (scope !== undefined) checkScope(sequenceIn(scope, 'the issuing distribution point'), whose);
  const known: readonly string[] = [CRL_NUMBER, DISTRIBUTION_POINT, Extension.AUTHORITY_KEY_ID];
  const unknown = critical.find((oid) => !known.includes(oid));
  if (unknown !== undefined) throw unknownExtension(whose, unknown);
  return {
    issuerKeyId: readKeyId(values.get(Extension.AUTHORITY_KEY_ID)),
    number: readNumber(values.get(CRL_NUMBER)),
    namesDistributionPoint: scope !== undefined,
  };
}

/** RFC 5280 5.2.5. What limits a list to a part of the CA's certificates is refused: a list stands for all of them. */
function checkScope(content: Uint8Array, whose: string): void {
  for (const { tag, content: value } of readChildren(content)) {
    const isSet = tag === 0x83 || value[0] !== 0;
    if (tag === 0xa0 || !isSet) continue;
    if (tag === 0x84) {
      throw new RevocationListError(
        'INDIRECT_LIST',
        `${whose} is an indirect CRL: it also lists certificates of other CAs. Send the CRL that each CA signs itself.`,
      );
    }
    const only = {
      129: "clients' certificates",
      130: 'CA certificates',
      131: 'some reasons',
      133: 'attribute certificates',
    }[tag];
    throw new RevocationListError(
      'PARTIAL_LIST',
      `${whose} covers ${only ?? 'a part'} only (issuing distribution point). Send the complete CRL of the CA.`,
    );
  }
}

/** RFC 5280 5.2 and 5.3: a list with something critical that is not understood must not be used. */
function unknownExtension(whose: string, oid: string): RevocationListError {
  return new RevocationListError(
    'UNKNOWN_CRITICAL_EXTENSION',
    `${whose} has a critical extension that is not known here (${oid}), so it can't be told what the list means. Send one without it.`,
  );
}

function readKeyId(value: Uint8Array | undefined): string | null {
  if (value === undefined) return null;
  const keyId = readChildren(sequenceIn(value, 'authorityKeyIdentifier')).find(({ tag }) => tag === 0x80);
  return keyId === undefined ? null : hex(keyId.content);
}

function readNumber(value: Uint8Array | undefined): string | null {
  if (value === undefined) return null;
  const { content } = expectTag(readElement(value), Tag.INTEGER, 'the CRL number');
  // RFC 5280 5.2.3: at most 20 bytes, never negative.
  if (content.length === 0 || content.length > 21 || (content[0] ?? 0) & 0x80)
    throw new DerError('a CRL number out of range');
  return BigInt(`0x${hex(content)}`).toString();
}

async function readEntries(content: Uint8Array, issuer: string): Promise<RevokedSerials> {
  const slices = new TimeSlices();
  const serials = new SerialCollector();
  const entries = new Fields(content);
  while (entries.tag !== null) {
    const entry = new Fields(entries.take('an entry of the CRL', Tag.SEQUENCE, LARGEST_ENTRY).content);
    serials.add(entry.take('the serial number of an entry', Tag.INTEGER).content);
    if (!entry.isAtTime) throw new DerError('the date of an entry is missing');
    entry.take('the date of an entry', entry.tag ?? 0);
    if (entry.tag !== null)
      checkEntryExtensions(entry.take('the extensions of an entry', Tag.SEQUENCE).content, issuer);
    entry.end();
    if (slices.over) await slices.rest();
  }
  return serials.finish(slices);
}

function checkEntryExtensions(content: Uint8Array, issuer: string): void {
  for (const extension of readChildren(content)) {
    const [id, flag] = readChildren(expectTag(extension, Tag.SEQUENCE, 'an extension').content);
    const oid = readOid(expectTag(id, Tag.OID, 'the id of an extension').content);
    const isCritical = flag?.tag === Tag.BOOLEAN && flag.content[0] !== 0;
    const whose = `The CRL of "${shorten(issuer)}"`;
    if (oid === CERTIFICATE_ISSUER) {
      throw new RevocationListError(
        'INDIRECT_LIST',
        `${whose} has an entry for a certificate of another CA (indirect CRL). Send the CRL that each CA signs itself.`,
      );
    }
    if (isCritical && !harmlessInEntries.has(oid)) throw unknownExtension(whose, oid);
  }
}
