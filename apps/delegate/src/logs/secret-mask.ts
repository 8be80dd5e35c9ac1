import { formsOfSecret } from './secret-forms.ts';

const MASK = Buffer.from('***');
const NOTHING = Buffer.alloc(0);
/** One kilobyte for each state that is visited down to here. */
const DEPTH_OF_ROWS = 1;

/** A piece of the data under way that is part of a secret. `shown`: its mask has been given out already. */
interface Hidden {
  start: number;
  end: number;
  shown: boolean;
}

/** The masked output of one stream of bytes. */
export interface Masking {
  /**
   * What can be shown by now. The end of the data is held back while it may be the beginning of a secret: what straddles
   * two chunks, or two lines, is masked all the same.
   */
  write(chunk: Buffer): Buffer;
  /** The rest. */
  end(): Buffer;
}

/**
 * Finds every form of the given secrets in one pass over the bytes (Aho and Corasick, 1975): the time does not grow with
 * their number, and the depth of its state is exactly what must be held back.
 */
export class SecretMask {
  /** By `state * 256 + byte`. State 0 is the root. */
  readonly #next = new Map<number, number>();
  readonly #fallback: number[] = [0];
  readonly #depth: number[] = [0];
  /** Length of the longest form that ends in a state; 0: none does. */
  readonly #found: number[] = [0];
  readonly #begins = new Uint8Array(256);
  /** Where each byte leads from the states near the root, where ordinary text spends its time; made when first needed. */
  readonly #rows: Int32Array[] = [];

  constructor(secrets: Iterable<string>) {
    for (const secret of secrets) for (const form of formsOfSecret(secret)) this.#add(Buffer.from(form));
    this.#link();
  }

  masking(): Masking {
    let held = NOTHING;
    let hidden: Hidden[] = [];
    let state = 0;
    return {
      write: (chunk) => {
        const data = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
        for (let at = held.length; at < data.length; at += 1) {
          const byte = data[at] ?? 0;
          if (state === 0 && this.#begins[byte] === 0) continue;
          state = this.#advance(state, byte);
          const length = this.#found[state] ?? 0;
          if (length > 0) hide(hidden, at + 1 - length, at + 1);
        }
        const decided = data.length - (this.#depth[state] ?? 0);
        const output = reveal(data, decided, hidden);
        hidden = after(decided, hidden);
        // Copied: the few bytes held would keep the whole chunk alive.
        held = Buffer.from(data.subarray(decided));
        return output;
      },
      end: () => {
        const output = reveal(held, held.length, hidden);
        held = NOTHING;
        hidden = [];
        state = 0;
        return output;
      },
    };
  }

  /** A whole text with its secrets masked. */
  text(text: string): string {
    const masking = this.masking();
    return Buffer.concat([masking.write(Buffer.from(text)), masking.end()]).toString();
  }

  #add(form: Buffer): void {
    let state = 0;
    for (const byte of form) {
      const key = state * 256 + byte;
      let next = this.#next.get(key);
      if (next === undefined) {
        next = this.#depth.length;
        this.#next.set(key, next);
        this.#depth.push((this.#depth[state] ?? 0) + 1);
        this.#found.push(0);
        this.#fallback.push(0);
      }
      state = next;
    }
    this.#found[state] = form.length;
    const [first] = form;
    if (first !== undefined) this.#begins[first] = 1;
  }

  /** Gives every state the longest other one that its bytes end with: nearer to the root first. */
  #link(): void {
    const edges = [...this.#next].sort(([, a], [, b]) => (this.#depth[a] ?? 0) - (this.#depth[b] ?? 0));
    for (const [key, state] of edges) {
      const parent = Math.floor(key / 256);
      const fallback = parent === 0 ? 0 : this.#step(this.#fallback[parent] ?? 0, key % 256);
      this.#fallback[state] = fallback;
      this.#found[state] = Math.max(this.#found[state] ?? 0, this.#found[fallback] ?? 0);
    }
  }

  #advance(state: number, byte: number): number {
    if ((this.#depth[state] ?? 0) > DEPTH_OF_ROWS) return this.#step(state, byte);
    let row = this.#rows[state];
    if (row === undefined) {
      row = Int32Array.from({ length: 256 }, (_, each) => this.#step(state, each));
      this.#rows[state] = row;
    }
    return row[byte] ?? 0;
  }

  #step(from: number, byte: number): number {
    let state = from;
    while (true) {
      const next = this.#next.get(state * 256 + byte);
      if (next !== undefined) return next;
      if (state === 0) return 0;
      state = this.#fallback[state] ?? 0;
    }
  }
}

/** Pieces that overlap or touch become one, so that how many secrets stood there does not show either. */
function hide(hidden: Hidden[], from: number, end: number): void {
  let start = from;
  let shown = false;
  let last = hidden.at(-1);
  while (last !== undefined && last.end >= start) {
    start = Math.min(start, last.start);
    shown ||= last.shown;
    hidden.pop();
    last = hidden.at(-1);
  }
  hidden.push({ start, end, shown });
}

function reveal(data: Buffer, until: number, hidden: readonly Hidden[]): Buffer {
  if (hidden.length === 0) return data.subarray(0, until);
  const parts: Buffer[] = [];
  let at = 0;
  for (const { start, end, shown } of hidden) {
    if (start >= until) break;
    parts.push(data.subarray(at, start));
    if (!shown) parts.push(MASK);
    at = Math.min(end, until);
  }
  parts.push(data.subarray(at, until));
  return Buffer.concat(parts);
}

/** What of the hidden pieces lies behind what was given out, or ends there, so that the next one is known to touch it. */
function after(decided: number, hidden: readonly Hidden[]): Hidden[] {
  return hidden
    .filter(({ end }) => end >= decided)
    .map(({ start, end, shown }) => ({
      start: Math.max(0, start - decided),
      end: end - decided,
      shown: shown || start < decided,
    }));
}
