import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { SallyportError } from '@sallyport/protocol';
import type { Tally } from '../metrics/tally.ts';
import type { LimitName, ListenerName } from './gateway-counts.ts';
import { type Handshake, type Handshaker, HandshakesInFlight } from './handshakes-in-flight.ts';
import type { Limits } from './limits.ts';
import { TokenBuckets } from './token-buckets.ts';

interface Source extends Handshaker {
  open: number;
}

/**
 * What one address may do before it has shown who it is. Counts are kept for addresses that have a connection open, so
 * they are bounded by the connections; rates by TokenBuckets.
 */
export class SourceLimits {
  readonly #limits: Limits;
  readonly #hits: Tally<LimitName>;
  readonly #sources = new Map<string, Source>();
  /** Connections in their handshake, by the client's end. */
  readonly #handshakes = new Map<string, Handshake>();
  readonly #inFlight: HandshakesInFlight;
  readonly #handshakeRate: TokenBuckets;
  readonly #refusalRate: TokenBuckets;
  readonly #requestRate: TokenBuckets;

  constructor(limits: Limits, hits: Tally<LimitName>, now?: () => number) {
    this.#limits = limits;
    this.#hits = hits;
    this.#inFlight = new HandshakesInFlight(limits.handshakesInFlight);
    this.#handshakeRate = new TokenBuckets(limits.sourceHandshakes, now);
    this.#refusalRate = new TokenBuckets(limits.sourceRefusals, now);
    this.#requestRate = new TokenBuckets(limits.sourceRequests, now);
  }

  /** Sources that have a connection open. */
  get size(): number {
    return this.#sources.size;
  }

  /** Handshakes in flight of all sources. */
  get handshaking(): number {
    return this.#inFlight.count;
  }

  /** A TCP connection has come, nothing of it was read. Null: it is to be closed; or what to call at its close, once. */
  arrive(listener: ListenerName, socket: Socket): (() => void) | null {
    const name = sourceOf(socket.remoteAddress);
    const source = this.#sources.get(name) ?? { open: 0, handshakes: new Set() };
    const hit = this.#hitBy(name, source);
    if (hit !== null) {
      this.#hits.add(hit);
      return null;
    }
    const { free, evict } = this.#inFlight.room(source);
    if (!free || evict !== null) this.#hits.add('handshakes_in_flight');
    if (!free) return null;
    // Its 'close' comes later; its place is needed now.
    if (evict !== null) {
      this.#inFlight.end(evict);
      evict.socket.resetAndDestroy();
    }
    source.open += 1;
    this.#sources.set(name, source);
    const handshake = { source, socket };
    const end = clientEnd(listener, socket);
    this.#handshakes.set(end, handshake);
    this.#inFlight.begin(handshake);
    return () => {
      // Two addresses of ours may have connections from one end of a client: each ends by itself, whoever is found there.
      this.#inFlight.end(handshake);
      if (this.#handshakes.get(end) === handshake) this.#handshakes.delete(end);
      source.open -= 1;
      if (source.open === 0) this.#sources.delete(name);
    };
  }

  /** The connection is through its handshake. */
  secured(listener: ListenerName, socket: TLSSocket): void {
    const end = clientEnd(listener, socket);
    const handshake = this.#handshakes.get(end);
    if (handshake === undefined) return;
    this.#handshakes.delete(end);
    this.#inFlight.end(handshake);
  }

  /** May this source be told once more why it is refused? */
  mayExplain(remoteAddress: string | undefined): boolean {
    return this.#within(this.#refusalRate, remoteAddress, 'source_refusal_rate');
  }

  /** Null when one more request from there is within its rate; or why not. */
  request(remoteAddress: string | undefined): SallyportError | null {
    if (this.#within(this.#requestRate, remoteAddress, 'source_request_rate')) return null;
    const { perSecond } = this.#limits.sourceRequests;
    return new SallyportError(
      'TOO_MANY_REQUESTS',
      `More than ${perSecond} requests a second come from ${sourceOf(remoteAddress)}, which is the limit of an address.`,
    );
  }

  /** As `request`, for somebody who asks that one when this says no: a refusal is counted there. */
  admits(remoteAddress: string | undefined): boolean {
    return this.#requestRate.take(sourceOf(remoteAddress));
  }

  #hitBy(name: string, source: Source): LimitName | null {
    if (source.open >= this.#limits.sourceConnections) return 'source_connections';
    if (source.handshakes.size >= this.#limits.sourceHandshakesInFlight) return 'source_handshakes_in_flight';
    return this.#handshakeRate.take(name) ? null : 'source_handshake_rate';
  }

  #within(rate: TokenBuckets, remoteAddress: string | undefined, limit: LimitName): boolean {
    if (rate.take(sourceOf(remoteAddress))) return true;
    this.#hits.add(limit);
    return false;
  }
}

/**
 * The source that an address belongs to: an IPv4 address, or the /64 of an IPv6 one. Whoever has one IPv6 address has
 * the 2^64 of its network, and would otherwise be a new source with each connection.
 */
export function sourceOf(remoteAddress: string | undefined): string {
  if (remoteAddress === undefined) return 'unknown';
  if (!remoteAddress.includes(':')) return remoteAddress;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(remoteAddress);
  if (mapped?.[1] !== undefined) return mapped[1];
  const [head = '', tail] = remoteAddress.replace(/%.*$/, '').toLowerCase().split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? [] : Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0');
  return `${[...left, ...zeros, ...right].slice(0, 4).join(':')}::/64`;
}

function clientEnd(listener: ListenerName, socket: Socket): string {
  return `${listener}|${socket.remotePort}|${socket.remoteAddress}`;
}
