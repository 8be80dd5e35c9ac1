import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { agentPaths, errorBody, SallyportError, type TaskEvent, type TaskEvents } from '@sallyport/protocol';
import type { Logger } from 'pino';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Bus } from '../bus/bus.ts';
import { RETRY_AFTER_SECONDS } from '../gateway/account-limits.ts';
import { checkHost } from '../gateway/host-check.ts';
import type { LiveConnections } from '../gateway/live-connections.ts';
import type { TaskDispatcher } from '../tasks/task-dispatcher.ts';
import type { AgentAuthentication, AgentCaller } from './agent-authentication.ts';
import type { AgentTokens } from './agent-tokens.ts';
import type { DelegateService } from './delegate-service.ts';
import type { PinnedDelegates } from './pinned-delegates.ts';
import type { Presence } from './presence.ts';

export interface PushStreamParts {
  readonly authentication: Pick<AgentAuthentication, 'authenticate'>;
  /** The door alone, to look again at a stream that is open: that is no request of its delegate. */
  readonly door: AgentAuthentication;
  readonly tokens: AgentTokens;
  readonly pinned: PinnedDelegates;
  readonly delegates: DelegateService;
  readonly presence: Presence;
  readonly dispatcher: TaskDispatcher;
  readonly connections: LiveConnections;
  readonly bus: Bus;
  readonly logger: Logger;
}

/** The stream's close code when trust or token no longer holds; the reason is "CODE: message". */
const CLOSE_REFUSED = 4401;
/** "Try again later" (RFC 6455 7.4.2's registry): the delegate is not registered, or not any more. */
const CLOSE_UNKNOWN = 1013;
const PING_EVERY_MS = 20_000;
/** Heartbeat frames are `{}`; nothing a delegate sends on the stream is larger. */
const MAX_FRAME_BYTES = 4_096;
/** A delegate that reads nothing while events pile up is cut and comes back to poll what it missed. */
const MAX_BUFFERED_BYTES = 1_048_576;
/** RFC 6455 5.5.1: a close frame's reason has at most 123 bytes. */
const MAX_REASON_BYTES = 120;

interface Stream {
  readonly socket: WebSocket;
  readonly caller: AgentCaller;
  readonly delegateId: string;
  alive: boolean;
  /** Set while its token has an end ahead. */
  tokenEnd: NodeJS.Timeout | null;
}

const STREAM_PATH = new RegExp(`^(?:/gateway)?${agentPaths.stream('ID').replace('ID', '([\\w-]{1,64})')}$`);
/** A token's end is looked for at least this often: a machine's clock may jump, and a timer does not notice. */
const LOOK_EVERY_MS = 15_000;

/** Task events pushed over WebSocket, on the same connection and behind the same doors as everything else. */
export class PushStreams {
  readonly #parts: PushStreamParts;
  readonly #webSockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_FRAME_BYTES,
    perMessageDeflate: false,
    clientTracking: false,
  });
  readonly #streams = new Set<Stream>();
  readonly #unsubscribe: (() => void)[];
  readonly #timer: NodeJS.Timeout;

  constructor(parts: PushStreamParts, server: Server) {
    this.#parts = parts;
    this.#unsubscribe = [
      parts.bus.subscribe('tokens-changed', ({ accountId }) => this.#dropRevoked(accountId)),
      // Deleting an account deletes its tokens.
      parts.bus.subscribe('trust-changed', ({ accountId }) => this.#dropRevoked(accountId)),
      parts.bus.subscribe('resync', async () => {
        const accountIds = new Set([...this.#streams].map(({ caller }) => caller.accountId));
        await Promise.all([...accountIds].map((accountId) => this.#dropRevoked(accountId)));
      }),
    ];
    this.#timer = setInterval(() => this.#pingAll(), PING_EVERY_MS);
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      socket.on('error', (error) => parts.logger.debug({ err: error }, 'upgrade failed'));
      this.#upgrade(request, socket, head).catch((error: unknown) => refuse(socket, error, parts.logger));
    });
  }

  get size(): number {
    return this.#streams.size;
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    for (const { socket } of this.#streams) socket.close(1001, 'the manager is stopping');
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    checkHost(this.#parts.connections.of(request.socket), request);
    const [path = '', query] = (request.url ?? '').split('?', 2);
    const delegateId = STREAM_PATH.exec(path)?.[1];
    if (delegateId === undefined) {
      throw new SallyportError('RESOURCE_NOT_FOUND', `There is no stream at ${path.slice(0, 200)}.`);
    }
    const accountIds = new URLSearchParams(query).getAll('accountId');
    const { authentication, door, pinned, delegates } = this.#parts;
    const agentRequest = {
      socket: request.socket,
      headers: request.headers,
      accountId: accountIds.length === 1 ? accountIds[0] : undefined,
    };
    const caller = await authentication.authenticate(agentRequest);
    const spokenFor = { ids: [delegateId], names: [] };
    await pinned.admit(caller, spokenFor);
    await delegates.heartbeat(caller, delegateId);
    // Again, now that it is present: the connection is to be found by its name when the delegate is pinned later.
    await pinned.admit(caller, spokenFor);
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      this.#open({ socket: webSocket, caller, delegateId, alive: true, tokenEnd: null });
      // A token revoked since it was verified did not find this stream to end it; from here on a revocation does.
      door.authenticate(agentRequest).catch((error: unknown) => {
        const { code, message } = asSallyportError(error);
        this.#parts.connections.cut(caller.connection, { code, message });
      });
    });
  }

  #open(stream: Stream): void {
    const { presence, dispatcher, logger } = this.#parts;
    const { socket, caller, delegateId } = stream;
    const send = (events: readonly TaskEvent[]) => {
      if (socket.bufferedAmount > MAX_BUFFERED_BYTES) return socket.terminate();
      socket.send(JSON.stringify({ delegateTaskEvents: [...events] } satisfies TaskEvents));
    };
    const sink = { send };
    caller.connection.onCut = ({ code, message }) => socket.close(CLOSE_REFUSED, closeReason(`${code}: ${message}`));
    this.#streams.add(stream);
    let leave: () => void = () => undefined;
    this.#watchToken(stream);
    socket.on('close', () => {
      this.#streams.delete(stream);
      if (stream.tokenEnd !== null) clearTimeout(stream.tokenEnd);
      caller.connection.onCut = null;
      leave();
    });
    socket.on('error', (error) => logger.debug({ err: error, delegateId }, 'push stream failed'));
    socket.on('pong', () => this.#heard(stream));
    socket.on('message', () => this.#heard(stream));
    if (presence.get(caller.accountId, delegateId) === undefined) {
      // Gone between the upgrade's start and here.
      socket.close(CLOSE_UNKNOWN, 'register again');
      return;
    }
    leave = presence.openStream(delegateId, sink);
    const present = presence.get(caller.accountId, delegateId);
    if (present === undefined) return;
    dispatcher.eventsFor(present).then(
      (events) => {
        if (events.length > 0) send(events);
      },
      (error: unknown) =>
        logger.error({ err: error, delegateId }, 'queued tasks were not offered to a new stream; the next sweep does'),
    );
  }

  #heard(stream: Stream): void {
    stream.alive = true;
    const { caller, delegateId, socket } = stream;
    // Deleted, or unregistered on another connection: nothing would ever be sent to it here.
    if (!this.#parts.presence.touchKnown(caller.accountId, delegateId, caller.via))
      socket.close(CLOSE_UNKNOWN, 'register again');
  }

  #pingAll(): void {
    for (const stream of this.#streams) {
      if (!stream.alive) {
        stream.socket.terminate();
        continue;
      }
      stream.alive = false;
      stream.socket.ping();
    }
  }

  /** Ends the streams whose token was revoked or deleted. */
  async #dropRevoked(accountId: string): Promise<void> {
    const streams = [...this.#streams].filter(({ caller }) => caller.accountId === accountId);
    if (streams.length === 0) return;
    const active = await this.#parts.tokens.activeIds(accountId);
    for (const { caller } of streams) if (!active.has(caller.via.tokenId)) this.#cutRevoked(caller);
  }

  /** Ends the stream at the moment from which its token counts as revoked, when it has one. */
  #watchToken(stream: Stream): void {
    const { caller } = stream;
    const { tokens, logger } = this.#parts;
    tokens.timeLeft(caller.accountId, caller.via.tokenId).then(
      (left) => {
        if (left === Number.POSITIVE_INFINITY || !this.#streams.has(stream)) return;
        if (left <= 0) return this.#cutRevoked(caller);
        stream.tokenEnd = setTimeout(() => this.#watchToken(stream), Math.min(left, LOOK_EVERY_MS));
      },
      (error: unknown) => {
        logger.warn({ err: error }, "a push stream's token could not be looked at; trying again");
        stream.tokenEnd = setTimeout(() => this.#watchToken(stream), LOOK_EVERY_MS);
      },
    );
  }

  #cutRevoked({ connection }: AgentCaller): void {
    this.#parts.connections.cut(connection, { code: 'REVOKED_TOKEN', message: 'The delegate token was revoked.' });
  }
}

function closeReason(text: string): string {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= MAX_REASON_BYTES) return text;
  return `${new TextDecoder().decode(bytes.subarray(0, MAX_REASON_BYTES - 3)).replace(/\uFFFD+$/, '')}...`;
}

/** Answers a refused upgrade as any other request: with the error body, then closes. */
function refuse(socket: Duplex, error: unknown, logger: Logger): void {
  const correlationId = randomUUID();
  const known = asSallyportError(error);
  if (known.status >= 500) logger.error({ err: error, correlationId }, 'a push stream could not be opened');
  const body = JSON.stringify(errorBody(known, correlationId));
  // The server has let go of the socket: nobody else ends it when the client does not close its side.
  socket.once('finish', () => socket.destroy());
  socket.end(
    [
      `HTTP/1.1 ${known.status} Refused`,
      'content-type: application/json; charset=utf-8',
      `content-length: ${Buffer.byteLength(body)}`,
      `x-harness-error: ${known.code}`,
      ...(known.status === 429 ? [`retry-after: ${RETRY_AFTER_SECONDS}`] : []),
      'connection: close',
      '',
      body,
    ].join('\r\n'),
  );
}

function asSallyportError(error: unknown): SallyportError {
  return error instanceof SallyportError
    ? error
    : new SallyportError('INTERNAL_SERVER_ERROR', 'The control plane failed.');
}
