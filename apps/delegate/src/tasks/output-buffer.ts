/**
 * Keeps the beginning and the end of an output that may be far longer than its limit: the beginning says what was done,
 * the end says how it ended. What is left out is counted and marked.
 */
export class OutputBuffer {
  readonly #half: number;
  readonly #head: Buffer[] = [];
  #headBytes = 0;
  readonly #tail: Buffer[] = [];
  #tailBytes = 0;
  #dropped = 0;

  constructor(limitBytes: number) {
    this.#half = Math.floor(limitBytes / 2);
  }

  get truncated(): boolean {
    return this.#dropped > 0;
  }

  write(chunk: Buffer): void {
    const forHead = chunk.subarray(0, this.#half - this.#headBytes);
    if (forHead.length > 0) {
      this.#head.push(forHead);
      this.#headBytes += forHead.length;
    }
    const rest = chunk.subarray(forHead.length);
    if (rest.length === 0) return;
    // Copied: a slice would keep the whole chunk that it is part of alive.
    this.#tail.push(Buffer.from(rest));
    this.#tailBytes += rest.length;
    this.#trim();
  }

  /** As text; bytes that are not UTF-8, and a character that the cut went through, read as U+FFFD. */
  text(): string {
    const head = Buffer.concat(this.#head);
    const tail = Buffer.concat(this.#tail);
    if (!this.truncated) return Buffer.concat([head, tail]).toString();
    return `${head.toString()}\n[... ${this.#dropped} bytes left out ...]\n${tail.toString()}`;
  }

  #trim(): void {
    let excess = this.#tailBytes - this.#half;
    while (excess > 0) {
      const first = this.#tail[0];
      if (first === undefined) return;
      const cut = Math.min(excess, first.length);
      if (cut === first.length) this.#tail.shift();
      else this.#tail[0] = first.subarray(cut);
      this.#tailBytes -= cut;
      this.#dropped += cut;
      excess -= cut;
    }
  }
}
