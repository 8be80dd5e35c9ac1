import type { Rate } from './token-buckets.ts';

/**
 * The fleet that every default lets pass without a delay: this many delegates of one account, behind one NAT address,
 * all coming back at once because the manager was restarted.
 */
const FLEET = 5_000;
/** A delegate keeps its push stream and one connection for requests. */
const CONNECTIONS_OF_A_DELEGATE = 2;

/**
 * One source opens so many TCP connections at most, twice what the fleet needs: after a network fault the old ones are
 * still counted while the new ones arrive. About 1 GB when they are all in use.
 */
export const SOURCE_CONNECTIONS = 2 * FLEET * CONNECTIONS_OF_A_DELEGATE;
/** The same for an account, wherever its delegates are. */
export const ACCOUNT_CONNECTIONS = 2 * FLEET * CONNECTIONS_OF_A_DELEGATE;
/** A handshake costs 0.6 ms of CPU: in the long run one source has less than a third of a core with this. */
export const SOURCE_HANDSHAKES_PER_SECOND = 500;
/** A delegate's heartbeats, polls and tasks make about one request in two seconds: the fleet's, and tasks for it. */
export const ACCOUNT_REQUESTS_PER_SECOND = 3_000;
/** Several accounts may share an address. */
export const SOURCE_REQUESTS_PER_SECOND = 6_000;

/** A bucket holds this many seconds' worth: 10,000 handshakes, so that the whole fleet's reconnect fits in. */
const HANDSHAKE_BURST_SECONDS = 20;
/** Registering, a heartbeat, a poll and the tasks that waited: five requests of each delegate at once. */
const REQUEST_BURST_SECONDS = 10;

/** The fleet with both connections in the middle of a handshake. Ten seconds each at most: the handshake timeout. */
const SOURCE_HANDSHAKES_IN_FLIGHT = FLEET * CONNECTIONS_OF_A_DELEGATE;
/**
 * Anybody can name an endpoint before having shown a certificate. Twice the limit of a source, so that one source alone
 * cannot use up the handshakes of an account that it has nothing to do with.
 */
const ACCOUNT_HANDSHAKES_IN_FLIGHT = 2 * SOURCE_HANDSHAKES_IN_FLIGHT;

/**
 * Explaining a refusal costs an HTTP answer. The burst is the fleet's: existing images ask for the account's status
 * without a certificate when they start. Beyond it the connection is closed without a word; it is recorded all the same.
 */
const EXPLAINED_REFUSALS: Rate = { perSecond: 200, burst: 2 * FLEET };
/** Of the thousand refused connections that are open at once, one account has at most half. */
export const ACCOUNT_EXPLANATIONS_OPEN = 500;

/**
 * Of all sources together: what many addresses that stay within their own limits may take. A handshake in flight costs
 * 20 KiB before its first byte and 85 KiB after it, so this is 1.7 GB at the very most, for the ten seconds that each may
 * take. Twice the limit of a source: one alone never fills it.
 */
export const HANDSHAKES_IN_FLIGHT = 2 * SOURCE_HANDSHAKES_IN_FLIGHT;

/** Each is a bound of this process; several replicas each have their own. */
export interface Limits {
  readonly handshakesInFlight: number;
  readonly sourceConnections: number;
  readonly sourceHandshakesInFlight: number;
  readonly sourceHandshakes: Rate;
  readonly sourceRefusals: Rate;
  readonly sourceRequests: Rate;
  readonly accountConnections: number;
  readonly accountHandshakesInFlight: number;
  readonly accountRefusals: Rate;
  readonly accountExplanationsOpen: number;
  readonly accountRequests: Rate;
}

/** The limits an operator may want to move, for a larger fleet or another network. 0 takes a limit away. */
export interface LimitSettings {
  readonly handshakesInFlight: number;
  readonly sourceConnections: number;
  readonly sourceHandshakesPerSecond: number;
  readonly sourceRequestsPerSecond: number;
  readonly accountConnections: number;
  readonly accountRequestsPerSecond: number;
}

export const DEFAULT_LIMIT_SETTINGS: LimitSettings = {
  handshakesInFlight: HANDSHAKES_IN_FLIGHT,
  sourceConnections: SOURCE_CONNECTIONS,
  sourceHandshakesPerSecond: SOURCE_HANDSHAKES_PER_SECOND,
  sourceRequestsPerSecond: SOURCE_REQUESTS_PER_SECOND,
  accountConnections: ACCOUNT_CONNECTIONS,
  accountRequestsPerSecond: ACCOUNT_REQUESTS_PER_SECOND,
};

/** Every limit, from the few that can be set: what depends on them moves along. */
export function limitsOf(settings: LimitSettings): Limits {
  const sourceHandshakes = rate(settings.sourceHandshakesPerSecond, HANDSHAKE_BURST_SECONDS);
  const grown = settings.accountConnections / ACCOUNT_CONNECTIONS;
  return {
    handshakesInFlight: orNone(settings.handshakesInFlight),
    sourceConnections: orNone(settings.sourceConnections),
    sourceHandshakesInFlight:
      settings.sourceConnections === 0
        ? Number.POSITIVE_INFINITY
        : Math.min(settings.sourceConnections, Math.max(SOURCE_HANDSHAKES_IN_FLIGHT, settings.sourceConnections / 2)),
    sourceHandshakes,
    // Behind a load balancer all clients are one source: who takes its handshake limit away means this one, too.
    sourceRefusals: settings.sourceHandshakesPerSecond === 0 ? sourceHandshakes : EXPLAINED_REFUSALS,
    sourceRequests: rate(settings.sourceRequestsPerSecond, REQUEST_BURST_SECONDS),
    accountConnections: orNone(settings.accountConnections),
    accountHandshakesInFlight: orNone(ACCOUNT_HANDSHAKES_IN_FLIGHT * (grown === 0 ? 0 : Math.max(1, grown))),
    accountRefusals: EXPLAINED_REFUSALS,
    accountExplanationsOpen: ACCOUNT_EXPLANATIONS_OPEN,
    accountRequests: rate(settings.accountRequestsPerSecond, REQUEST_BURST_SECONDS),
  };
}

export const DEFAULT_LIMITS: Limits = limitsOf(DEFAULT_LIMIT_SETTINGS);

function rate(perSecond: number, burstSeconds: number): Rate {
  return { perSecond: orNone(perSecond), burst: orNone(perSecond * burstSeconds) };
}

function orNone(limit: number): number {
  return limit === 0 ? Number.POSITIVE_INFINITY : limit;
}
