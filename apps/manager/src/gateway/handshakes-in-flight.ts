import type { Socket } from 'node:net';

/** The connections of one source that are in their handshake, the oldest first. */
export interface Handshakes {
  readonly sockets: Set<Socket>;
}

/**
 * The handshakes of all sources together, bounded. Refusing whoever comes next would hand the bound to whoever fills it:
 * a few addresses that open connections and say nothing would keep everybody out. So a source that has fewer in flight
 * than the one with the most takes the place of that one's oldest.
 */
export class HandshakesInFlight {
  readonly #most: number;
  /** Sources by how many they have in flight: index 0 holds those with one. */
  readonly #ranks: Set<Handshakes>[] = [];
  #count = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get count(): number {
    return this.#count;
  }

  /** Room for one more of the source. At the bound somebody has to go: the socket that is returned, not yet taken out. */
  room(source: Handshakes): { readonly free: boolean; readonly evict: Socket | null } {
    if (this.#count < this.#most) return { free: true, evict: null };
    const heaviest = this.#ranks.at(-1);
    if (heaviest === undefined || this.#ranks.length <= source.sockets.size) return { free: false, evict: null };
    const [longest] = heaviest;
    const [evict] = longest?.sockets ?? [];
    return { free: evict !== undefined, evict: evict ?? null };
  }

  begin(source: Handshakes, socket: Socket): void {
    this.#move(source, () => source.sockets.add(socket));
  }

  /** Does nothing for a connection whose handshake was over before. */
  end(source: Handshakes, socket: Socket): void {
    if (source.sockets.has(socket)) this.#move(source, () => source.sockets.delete(socket));
  }

  #move(source: Handshakes, change: () => unknown): void {
    const before = source.sockets.size;
    this.#ranks[before - 1]?.delete(source);
    change();
    const after = source.sockets.size;
    this.#count += after - before;
    if (after > 0) {
      const rank = this.#ranks[after - 1] ?? new Set();
      this.#ranks[after - 1] = rank.add(source);
    }
    while (this.#ranks.at(-1)?.size === 0) this.#ranks.pop();
  }
}
