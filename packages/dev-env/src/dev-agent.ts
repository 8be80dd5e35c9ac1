import { once } from 'node:events';
import { AgentTokenSource, Secret } from '@sallyport/client';
import { agentPaths, type TaskEvent, type TaskEvents } from '@sallyport/protocol';
import { WebSocket } from 'ws';
import type { DevAnswer } from './dev-manager.ts';
import type { KeptConnection } from './kept-connection.ts';

export interface DevAgentOptions {
  readonly accountId: string;
  /** The delegate token's secret, 32 hex characters. */
  readonly token: string;
  readonly name?: string;
  readonly tags?: readonly string[];
  /** Epoch milliseconds. */
  readonly now?: () => number;
  /** Signs for several delegates of one token; each makes its own when not given. */
  readonly tokens?: AgentTokenSource;
}

/** A delegate by hand: every call of the agent protocol, one at a time, on a connection of the test's choice. */
export class DevAgent {
  readonly connection: KeptConnection;
  readonly #options: DevAgentOptions;
  readonly #tokens: AgentTokenSource;
  #id: string | null = null;

  constructor(connection: KeptConnection, options: DevAgentOptions) {
    this.connection = connection;
    this.#options = options;
    const { accountId, token, now, name = 'by-hand' } = options;
    this.#tokens =
      options.tokens ??
      new AgentTokenSource({
        accountId,
        token: new Secret(token),
        issuer: name,
        audience: 'https://manager',
        ...(now !== undefined && { now }),
      });
  }

  /** The delegate id that the registration gave. */
  get id(): string {
    if (this.#id === null) throw new Error('the delegate has not registered');
    return this.#id;
  }

  get name(): string {
    return this.#options.name ?? 'by-hand';
  }

  authorization(): Promise<string> {
    return this.#tokens.authorization();
  }

  /** The same delegate on another connection. */
  on(connection: KeptConnection): DevAgent {
    const other = new DevAgent(connection, { ...this.#options, tokens: this.#tokens });
    other.#id = this.#id;
    return other;
  }

  /** The same connection and token, with the id of another delegate. */
  as(delegateId: string): DevAgent {
    const other = new DevAgent(this.connection, this.#options);
    other.#id = delegateId;
    return other;
  }

  async call(method: string, path: string, body?: unknown): Promise<DevAnswer> {
    const [bare = path, query] = path.split('?');
    return this.connection.request(
      method,
      `${bare}?accountId=${this.#options.accountId}${query === undefined ? '' : `&${query}`}`,
      { headers: { authorization: await this.authorization() }, ...(body !== undefined && { body }) },
    );
  }

  /** Registers and keeps the id that it is given; the answer may be a refusal. */
  async register(more: Readonly<Record<string, unknown>> = {}): Promise<DevAnswer> {
    const { accountId, name = 'by-hand', tags = [] } = this.#options;
    const answer = await this.call('POST', agentPaths.register, {
      accountId,
      delegateName: name,
      hostName: `host-of-${name}`,
      delegateType: 'DOCKER',
      tags,
      ng: true,
      pollingModeEnabled: true,
      ...more,
    });
    if (answer.status === 200) this.#id = String(answer.body['resource']?.['delegateId']);
    return answer;
  }

  heartbeat(): Promise<DevAnswer> {
    return this.call('POST', agentPaths.heartbeat, { delegateId: this.id, accountId: this.#options.accountId });
  }

  poll(waitSeconds = 0): Promise<DevAnswer> {
    return this.call('GET', `${agentPaths.taskEvents(this.id)}?waitSeconds=${waitSeconds}`);
  }

  acquire(taskId: string): Promise<DevAnswer> {
    return this.call('PUT', `${agentPaths.acquire(this.id, taskId)}?delegateInstanceId=${this.id}`);
  }

  report(taskId: string, body?: unknown): Promise<DevAnswer> {
    return this.call('POST', agentPaths.status(this.id, taskId), body);
  }

  /** Turns its connection into a push stream. Rejects with the status when the upgrade is refused. */
  async stream(headers: Readonly<Record<string, string>> = {}): Promise<DevStream> {
    const path = `${agentPaths.stream(this.id)}?accountId=${this.#options.accountId}`;
    const { agent, socket } = this.connection;
    const host = headers['host'] ?? (socket.servername || 'localhost');
    // Not `wss:`: the TLS below is there already.
    const webSocket = new WebSocket(`ws://localhost${path}`, {
      agent,
      headers: { authorization: await this.authorization(), ...headers, host },
    });
    const stream = new DevStream(webSocket);
    await once(webSocket, 'open');
    return stream;
  }
}

/** An open push stream, with everything that came through it. */
export class DevStream {
  readonly socket: WebSocket;
  readonly events: TaskEvent[] = [];
  /** How it ended, and the moment (`performance.now()`). */
  readonly closed: Promise<{ readonly code: number; readonly reason: string; readonly at: number }>;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data) => {
      this.events.push(...(JSON.parse(String(data)) as TaskEvents).delegateTaskEvents);
    });
    socket.on('error', () => socket.terminate());
    this.closed = new Promise((resolve) =>
      socket.on('close', (code, reason) => resolve({ code, reason: String(reason), at: performance.now() })),
    );
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }
}
