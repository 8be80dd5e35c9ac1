import type { TLSSocket } from 'node:tls';
import { Tally } from '../metrics/tally.ts';

/** Every bound that a client can run into. */
export type LimitName =
  | 'handshakes_in_flight'
  | 'source_connections'
  | 'source_handshakes_in_flight'
  | 'source_handshake_rate'
  | 'source_refusal_rate'
  | 'source_request_rate'
  | 'account_connections'
  | 'account_handshakes_in_flight'
  | 'account_refusal_rate'
  | 'account_request_rate'
  | 'handshake_time'
  | 'header_size'
  | 'body_size'
  | 'request_time';

export type HandshakeOutcome = 'admitted' | 'refused' | 'failed' | 'timed_out';
export type ListenerName = 'public' | 'mtls';

/** What happened at the gateway, in numbers, for whoever scrapes. */
export interface GatewayCounts {
  readonly handshakes: Tally<`${ListenerName}:${HandshakeOutcome}`>;
  readonly limits: Tally<LimitName>;
}

export function gatewayCounts(): GatewayCounts {
  return { handshakes: new Tally(), limits: new Tally() };
}

/**
 * Counts and ends a connection whose handshake failed or timed out. Node's TLS server only tells of a timeout and leaves
 * the connection open: whoever connects and says nothing would keep it for ever.
 */
export function endFailedHandshake(
  counts: GatewayCounts,
  listener: ListenerName,
  error: NodeJS.ErrnoException,
  socket: TLSSocket,
): void {
  const timedOut = error.code === 'ERR_TLS_HANDSHAKE_TIMEOUT';
  counts.handshakes.add(`${listener}:${timedOut ? 'timed_out' : 'failed'}`);
  if (timedOut) counts.limits.add('handshake_time');
  socket.destroy();
}
