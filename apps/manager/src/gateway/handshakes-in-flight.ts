import type { Socket } from 'node:net';

/** A connection in its handshake, as the TCP socket that came. */
export interface Handshake {
  readonly source: Handshaker;
  readonly socket: Socket;
}

/** A source, with its connections that are in their handshake, the oldest first. */
export interface Handshaker {
  readonly handshakes: Set<Handshake>;
}

/**
 * The handshakes of all sources together, bounded. Refusing whoever comes next would hand the bound to whoever fills it:
 * a few addresses that open connections and say nothing would keep everybody out. So a source that has fewer in flight
 * than the one with the most takes the place of that one's oldest.
 */
export class HandshakesInFlight {
  readonly #most: number;
  /** Sources by how many they have in flight: index 0 holds those with one. */
  readonly #ranks: Set<Handshaker>[] = [];
  #count = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get count(): number {
    return this.#count;
  }

  /** Room for one more of the source. At the bound somebody has to go: the one that is returned, not yet taken out. */
  room(source: Handshaker): { readonly free: boolean; readonly evict: Handshake | null } {
    if (this.#count < this.#most) return { free: true, evict: null };
    const heaviest = this.#ranks.at(-1);
    if (heaviest === undefined || this.#ranks.length <= source.handshakes.size) return { free: false, evict: null };
    const [longest] = heaviest;
    const [evict] = longest?.handshakes ?? [];
    return { free: evict !== undefined, evict: evict ?? null };
  }

  begin(handshake: Handshake): void {
    const { source } = handshake;
    const before = source.handshakes.size;
    source.handshakes.add(handshake);
    this.#rank(source, before);
  }

  /** Does nothing for a handshake that was over before. */
  end(handshake: Handshake): void {
    const { source } = handshake;
    const before = source.handshakes.size;
    if (source.handshakes.delete(handshake)) this.#rank(source, before);
  }

  #rank(source: Handshaker, before: number): void {
    this.#ranks[before - 1]?.delete(source);
    const after = source.handshakes.size;
    this.#count += after - before;
    if (after > 0) {
      const rank = this.#ranks[after - 1] ?? new Set();
      this.#ranks[after - 1] = rank.add(source);
    }
    while (this.#ranks.at(-1)?.size === 0) this.#ranks.pop();
  }
}
