import { DerError } from '../der.ts';
import type { TimeSlices } from './time-slices.ts';

/** Serial numbers of one length, in ascending order, side by side. */
interface Shelf {
  readonly width: number;
  readonly records: Uint8Array;
}

/** RFC 5280 4.1.2.2 allows 20 bytes; OpenSSL takes longer ones. */
const LONGEST_SERIAL = 64;
const HEADER = 5;

/**
 * The revoked serial numbers of one list: sorted bytes, no object for each, so 100,000 of 16 bytes take 1.6 MB outside of
 * the garbage-collected heap (a Set of short strings took 5.7 MB inside it), and they are stored as they are held.
 * Looking one up is a binary search. Sorted, and not hashed, because whoever uploads a list chooses its numbers.
 */
export class RevokedSerials {
  /** For every length that occurs, ascending: the length (1 byte), how many (4 bytes), the numbers. */
  readonly encoded: Uint8Array;
  readonly size: number;
  readonly #shelves: ReadonlyMap<number, Shelf>;

  private constructor(encoded: Uint8Array, shelves: readonly Shelf[]) {
    this.encoded = encoded;
    this.#shelves = new Map(shelves.map((shelf) => [shelf.width, shelf]));
    this.size = shelves.reduce((sum, { width, records }) => sum + records.length / width, 0);
  }

  /**
   * Reads what `encoded` gave; it is not copied. @throws DerError for anything else in form. That the numbers are in order
   * is not checked: the bytes come from our own store.
   */
  static decode(encoded: Uint8Array): RevokedSerials {
    const view = new DataView(encoded.buffer, encoded.byteOffset, encoded.byteLength);
    const shelves: Shelf[] = [];
    for (let offset = 0; offset < encoded.length; ) {
      if (offset + HEADER > encoded.length) throw new DerError('the stored serial numbers are cut off');
      const width = view.getUint8(offset);
      const end = offset + HEADER + width * view.getUint32(offset + 1);
      const isNext = width > (shelves.at(-1)?.width ?? 0) && width <= LONGEST_SERIAL;
      if (!isNext || end > encoded.length || end === offset + HEADER) {
        throw new DerError('the stored serial numbers are damaged');
      }
      shelves.push({ width, records: encoded.subarray(offset + HEADER, end) });
      offset = end;
    }
    return new RevokedSerials(encoded, shelves);
  }

  /** `serialNumber` as a certificate's facts have it: hex without leading zero bytes, `0` for zero. */
  has(serialNumber: string): boolean {
    const wanted = bytesOf(serialNumber);
    const shelf = this.#shelves.get(wanted.length);
    if (shelf === undefined) return false;
    const { width, records } = shelf;
    let low = 0;
    let high = records.length / width;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = compare(records, middle * width, wanted, 0, width);
      if (order === 0) return true;
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return false;
  }
}

/** Takes serial numbers one by one, in any order, and makes the sorted set of them. */
export class SerialCollector {
  readonly #open = new Map<number, GrowingShelf>();

  /** `content` of the INTEGER. @throws DerError for one that no certificate has. */
  add(content: Uint8Array): void {
    const first = content.findIndex((byte) => byte !== 0);
    // Zero is one zero byte here, and in no other way.
    const serial = first < 0 ? Uint8Array.of(0) : content.subarray(first);
    if (content.length === 0 || serial.length > LONGEST_SERIAL) {
      throw new DerError(`a serial number of ${content.length} bytes`);
    }
    const shelf = this.#open.get(serial.length);
    if (shelf === undefined) this.#open.set(serial.length, new GrowingShelf(serial));
    else shelf.add(serial);
  }

  async finish(slices: TimeSlices): Promise<RevokedSerials> {
    const shelves: Shelf[] = [];
    for (const shelf of [...this.#open.values()].sort((a, b) => a.width - b.width)) {
      shelves.push({ width: shelf.width, records: await shelf.sorted(slices) });
    }
    const encoded = new Uint8Array(shelves.reduce((sum, { records }) => sum + HEADER + records.length, 0));
    const view = new DataView(encoded.buffer);
    let offset = 0;
    for (const { width, records } of shelves) {
      view.setUint8(offset, width);
      view.setUint32(offset + 1, records.length / width);
      encoded.set(records, offset + HEADER);
      offset += HEADER + records.length;
    }
    return RevokedSerials.decode(encoded);
  }
}

class GrowingShelf {
  readonly width: number;
  #records: Uint8Array;
  #used: number;
  /** Most CAs write their lists in order, and then there is nothing left to sort. */
  #inOrder = true;

  constructor(first: Uint8Array) {
    this.width = first.length;
    this.#records = new Uint8Array(first.length * 64);
    this.#records.set(first);
    this.#used = first.length;
  }

  add(serial: Uint8Array): void {
    if (this.#used === this.#records.length) {
      const larger = new Uint8Array(this.#records.length * 2);
      larger.set(this.#records);
      this.#records = larger;
    }
    if (compare(this.#records, this.#used - this.width, serial, 0, this.width) >= 0) this.#inOrder = false;
    this.#records.set(serial, this.#used);
    this.#used += this.width;
  }

  async sorted(slices: TimeSlices): Promise<Uint8Array> {
    const records = this.#records.subarray(0, this.#used);
    return this.#inOrder ? records : mergeSort(records, this.width, slices);
  }
}

/**
 * Bottom-up merge sort with rests, duplicates left out. The platform's sort would do all of it at once, 80 ms for 100,000
 * numbers.
 */
async function mergeSort(records: Uint8Array, width: number, slices: TimeSlices): Promise<Uint8Array> {
  let from = records;
  let to: Uint8Array = new Uint8Array(records.length);
  for (let run = width; run < records.length; run *= 2) {
    for (let start = 0; start < records.length; start += 2 * run) {
      const middle = Math.min(start + run, records.length);
      const end = Math.min(start + 2 * run, records.length);
      let left = start;
      let right = middle;
      for (let out = start; out < end; out += width) {
        const takeLeft = left < middle && (right >= end || compare(from, left, from, right, width) <= 0);
        copy(from, takeLeft ? left : right, to, out, width);
        if (takeLeft) left += width;
        else right += width;
        if (slices.over) await slices.rest();
      }
    }
    [from, to] = [to, from];
  }
  let kept = 0;
  for (let at = 0; at < from.length; at += width) {
    if (kept > 0 && compare(from, kept - width, from, at, width) === 0) continue;
    copy(from, at, from, kept, width);
    kept += width;
    if (slices.over) await slices.rest();
  }
  return from.subarray(0, kept);
}

function copy(from: Uint8Array, at: number, to: Uint8Array, place: number, width: number): void {
  for (let i = 0; i < width; i++) to[place + i] = from[at + i] ?? 0;
}

function compare(left: Uint8Array, at: number, right: Uint8Array, place: number, width: number): number {
  for (let i = 0; i < width; i++) {
    const difference = (left[at + i] ?? 0) - (right[place + i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function bytesOf(serialNumber: string): Uint8Array {
  const even = serialNumber.length % 2 === 0 ? serialNumber : `0${serialNumber}`;
  const bytes = new Uint8Array(even.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(even.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}
