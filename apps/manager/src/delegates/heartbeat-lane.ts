import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { agentPaths, success } from '@sallyport/protocol';
import { RegisterRequest } from '@sallyport/protocol/schemas';
import type { Logger } from 'pino';
import { Compile } from 'typebox/compile';
import { isForItsHost } from '../gateway/host-check.ts';
import type { LiveConnections } from '../gateway/live-connections.ts';
import type { SourceLimits } from '../gateway/source-limits.ts';
import type { AnsweredRequest } from '../http/app.ts';
import { dropNulls, harmlessJson, keepBody } from '../http/json-body.ts';
import type { AgentDoor, AgentRequest } from './agent-authentication.ts';
import type { LimitedAgentAuthentication } from './limited-authentication.ts';
import { type PinnedDelegates, spokenFor } from './pinned-delegates.ts';
import type { Presence } from './presence.ts';

export interface HeartbeatLaneParts {
  readonly connections: LiveConnections;
  readonly sources: SourceLimits;
  /** The second door, which counts nothing. */
  readonly door: AgentDoor;
  readonly limits: Pick<LimitedAgentAuthentication, 'isWithin'>;
  readonly pinned: PinnedDelegates;
  readonly presence: Presence;
  readonly logger: Logger;
  readonly onAnswered: (answered: AnsweredRequest) => void;
}

const TARGET = `${agentPaths.heartbeat}?accountId=`;
const JSON_TYPES: ReadonlySet<string | undefined> = new Set(['application/json', 'application/json; charset=utf-8']);
/** A heartbeat is half a kilobyte, with many task types two or three. */
const MOST_BYTES = 16_384;

/**
 * The heartbeat's short way. Most requests are heartbeats that change nothing: of a delegate that is here, on a connection
 * and with a JWE that were seen before. Routing, hooks and promises cost twice as much as everything that has to be
 * checked for one, so those are answered before the framework sees them.
 *
 * This way only ever says yes, and only from memory: it asks the same objects as the route does, and whatever they don't
 * say yes to at once goes the long way, its body included. So there is no refusal, no error and no first heartbeat here,
 * and none that could differ.
 */
export class HeartbeatLane {
  readonly #parts: HeartbeatLaneParts;
  readonly #body = Compile(RegisterRequest);

  constructor(parts: HeartbeatLaneParts) {
    this.#parts = parts;
  }

  /** What the HTTP server hands its requests to, in front of `longWay`, which gets every request that is not answered here. */
  inFrontOf(longWay: RequestListener): RequestListener {
    return (request, response) => {
      const arrived = performance.now();
      const asked = this.#heartbeatOf(request);
      if (asked === null) {
        longWay(request, response);
        return;
      }
      readBody(request, (body) => {
        if (this.#answer(asked, body.toString('utf8'), response, arrived)) return;
        keepBody(request, body);
        longWay(request, response);
      });
    };
  }

  /** The request as the door asks for it, when it looks like a heartbeat in its plainest form. */
  #heartbeatOf({ method, url, headers, socket, rawHeaders }: IncomingMessage): AgentRequest | null {
    if (method !== 'POST' || !url?.startsWith(TARGET)) return null;
    // Digits, or Node would have refused the request; nothing when the body comes in chunks.
    const bytes = Number(headers['content-length']);
    if (!(bytes <= MOST_BYTES) || !JSON_TYPES.has(headers['content-type'])) return null;
    const { connections } = this.#parts;
    const connection = connections.of(socket);
    if (connection === undefined || !isForItsHost(connection, { rawHeaders, url })) return null;
    const accountId = url.slice(TARGET.length);
    // The door is asked when the body has come; a stranger is not to make us read and keep one.
    return connections.isBound(connection, accountId) ? { socket, headers, accountId } : null;
  }

  #answer(asked: AgentRequest, text: string, response: ServerResponse, arrived: number): boolean {
    const { door, limits, sources, pinned, presence, logger, onAnswered } = this.#parts;
    // Now and not when its head came: its body may have taken its time. And before it is read as JSON, which costs more.
    const caller = door.recall(asked);
    if (caller === null) return false;
    const body = harmlessJson(text);
    if (text.includes('null')) dropNulls(body);
    if (!this.#body.Check(body) || body.delegateId === undefined) return false;
    if (!pinned.recall(caller, spokenFor({ params: {}, query: {}, body }))) return false;
    // Last, because the long way counts what goes there.
    if (!sources.admits(caller.connection.socket.remoteAddress) || !limits.isWithin(caller)) return false;
    if (!presence.touchKnown(caller.accountId, body.delegateId, caller.via)) return false;
    const answer = JSON.stringify(success({ delegateId: body.delegateId, status: 'ENABLED' }));
    response.writeHead(200, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(answer),
    });
    response.end(answer);
    const said = { method: 'POST', route: agentPaths.heartbeat, status: 200 };
    const milliseconds = performance.now() - arrived;
    onAnswered({ ...said, milliseconds });
    if (logger.isLevelEnabled('debug')) logger.debug({ ...said, ms: Math.round(milliseconds) }, 'request');
    return true;
  }
}

function readBody(request: IncomingMessage, onRead: (body: Buffer) => void): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => onRead(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)));
}
