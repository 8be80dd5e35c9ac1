import { EventEmitter } from 'node:events';
import type { Static, TSchema } from 'typebox';
import { type RawAnswer, readFailure, readJson } from './answers.ts';
import type { ClientIdentity } from './client-identity.ts';
import { ConnectionSet, type ConnectionSettings, type RawRequest, type StreamedAnswer } from './connection-set.ts';
import { isCertificateRefusal, TransportError } from './errors.ts';
import { type EventStreamRequest, followEvents, type ServerSentEvent } from './event-stream.ts';
import type { ManagerRequest } from './manager-request.ts';
import { type ManagerStream, openManagerStream } from './manager-stream.ts';
import type { ProxySettings } from './proxy-settings.ts';
import { Rotation, type RotationTimings } from './rotation.ts';
import { loadTrustedRoots } from './tls-settings.ts';

/** Where the client certificate comes from: files, or another client that has tried it already. */
export interface IdentitySource {
  readonly current: ClientIdentity;
  on(event: 'change', listener: (identity: ClientIdentity) => void): unknown;
  off(event: 'change', listener: (identity: ClientIdentity) => void): unknown;
}

export interface ManagerClientOptions {
  /** `https://host[:port][/base]`; nothing is ever sent in clear. */
  readonly baseUrl: string;
  /** PEM files of CA certificates, on top of those of Node and of the machine. */
  readonly extraCaFiles?: readonly string[];
  /** Without one, no client certificate is sent, ever. */
  readonly clientCertificate?: IdentitySource;
  readonly proxy?: ProxySettings | null;
  readonly userAgent?: string;
  /** Headers that authenticate a request: the agent's token, an API key. Asked for every request. */
  readonly authentication?: () => Promise<Readonly<Record<string, string>>>;
  readonly connectTimeoutMs?: number;
  readonly requestTimeoutMs?: number;
  readonly streamHeartbeatMs?: number;
  readonly maxResponseBytes?: number;
  readonly maxConnections?: number;
  readonly rotation?: Partial<RotationTimings>;
  /**
   * The request that shows whether the manager takes a new client certificate; null when nothing has been admitted
   * yet, so that there is nothing to keep. Without it a new pair is used at once.
   */
  readonly rotationProbe?: () => ManagerRequest | null;
}

interface Events {
  /** New connections use this identity from now on; streams should be opened anew, then the old ones closed. */
  rotated: [ClientIdentity];
  /** The new pair does not work while the old one does: the old one stays. Once for each pair and cause. */
  'rotation-refused': [{ identity: ClientIdentity; error: unknown }];
}

const DEFAULTS = {
  connectTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  streamHeartbeatMs: 30_000,
  maxResponseBytes: 4 * 1024 * 1024,
  maxConnections: 8,
};

/** Speaks to one manager: JSON requests on kept connections, and push streams. */
export class ManagerClient extends EventEmitter<Events> {
  readonly #options: ManagerClientOptions;
  readonly #settings: ConnectionSettings;
  readonly #basePath: string;
  readonly #retired = new Set<ConnectionSet>();
  readonly #rotation: Rotation;
  #current: ConnectionSet;

  private constructor(options: ManagerClientOptions, url: URL, settings: ConnectionSettings) {
    super();
    this.#options = options;
    this.#settings = settings;
    this.#basePath = url.pathname.replace(/\/+$/, '');
    this.#current = new ConnectionSet(settings, options.clientCertificate?.current ?? null);
    this.#rotation = new Rotation({
      try: (candidate) => this.#tryCandidate(candidate),
      adopt: (candidate) => this.#adopt(candidate),
      refused: (identity, error) => this.emit('rotation-refused', { identity, error }),
      timings: options.rotation ?? {},
    });
    options.clientCertificate?.on('change', this.#onChange);
  }

  /**
   * Reads the trusted roots and prepares; no connection is made yet. Throws TypeError for a base URL that is not
   * `https://host`, CertificateFileError for a CA file that cannot be used.
   */
  static async create(options: ManagerClientOptions): Promise<ManagerClient> {
    const url = parseBaseUrl(options.baseUrl);
    const settings: ConnectionSettings = {
      hostname: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? 443 : Number(url.port),
      roots: await loadTrustedRoots(options.extraCaFiles ?? []),
      proxy: options.proxy ?? null,
      connectTimeoutMs: options.connectTimeoutMs ?? DEFAULTS.connectTimeoutMs,
      maxResponseBytes: options.maxResponseBytes ?? DEFAULTS.maxResponseBytes,
      maxConnections: options.maxConnections ?? DEFAULTS.maxConnections,
    };
    return new ManagerClient(options, url, settings);
  }

  /** The client certificate that new connections present. */
  get identity(): ClientIdentity | null {
    return this.#current.identity;
  }

  /** The manager as host:port, for messages. */
  get target(): string {
    return this.#current.target;
  }

  /**
   * Sends one request and returns the JSON of its answer (null when empty). Never retries and never follows a redirect.
   * Throws ManagerError (the manager's own refusal), TransportError, or the reason of the caller's signal.
   */
  async request(request: ManagerRequest): Promise<unknown> {
    return readJson(await this.exchange(request), this.target);
  }

  /** As `request`; returns a successful answer with its status, as the text that came. */
  async exchange(request: ManagerRequest): Promise<RawAnswer> {
    const connections = this.#current;
    try {
      const answer = await this.#send(connections, request);
      if (connections === this.#current) this.#rotation.oldPairWorks();
      return answer;
    } catch (error) {
      if (connections === this.#current && isCertificateRefusal(error)) this.#rotation.oldPairFails();
      throw error;
    }
  }

  /** As `request`; the answer is checked against the schema, so that a foreign server's 200 is not taken for ours. */
  async requestAs<T extends TSchema>(schema: T, request: ManagerRequest): Promise<Static<T>> {
    // Loaded for those who ask so: a command line, which starts anew for each answer, does not. And before asking: what
    // the manager has given must not be lost here.
    const { Check } = await import('typebox/schema');
    const answer = await this.request(request);
    if (Check(schema, answer)) return answer;
    throw new TransportError(
      'UNEXPECTED_ANSWER',
      `The answer of ${this.target} to ${request.method} ${request.path} is not what a Sallyport manager answers.`,
      'Check the address; check that manager and client are of neighbouring versions.',
    );
  }

  /**
   * One request whose answer is read as it comes, on a connection of its own. `timeoutMs` bounds the time to its first
   * byte. The caller closes it. Throws as `request`; what reading it throws is for `explainTransportFailure`.
   */
  async stream(request: ManagerRequest): Promise<StreamedAnswer> {
    const connections = this.#current;
    const late = new AbortController();
    const timeout = setTimeout(
      () => late.abort(new DOMException('first byte', 'TimeoutError')),
      this.#timeoutOf(request),
    );
    const answer = await connections.stream(await this.#raw(request, late.signal)).finally(() => clearTimeout(timeout));
    if (isSuccess(answer.status)) return answer;
    try {
      throw readFailure({ ...answer, text: await beginningOf(answer.body) }, connections.target);
    } finally {
      await answer.close();
    }
  }

  /** Server-sent events, over as many connections as it takes: see `followEvents`. */
  events(request: EventStreamRequest): AsyncGenerator<ServerSentEvent> {
    return followEvents((one) => this.stream(one), this.target, request);
  }

  /** Opens a push stream with the current identity. Throws as `request`. */
  async openStream(
    request: Pick<ManagerRequest, 'path' | 'query'>,
    onMessage: (message: unknown) => void,
  ): Promise<ManagerStream> {
    const connections = this.#current;
    try {
      return await openManagerStream(connections, {
        path: this.#pathOf(request),
        headers: await this.#headers(),
        handshakeTimeoutMs: this.#options.requestTimeoutMs ?? DEFAULTS.requestTimeoutMs,
        heartbeatMs: this.#options.streamHeartbeatMs ?? DEFAULTS.streamHeartbeatMs,
        maxMessageBytes: this.#settings.maxResponseBytes,
        onMessage,
      });
    } catch (error) {
      if (connections === this.#current && isCertificateRefusal(error)) this.#rotation.oldPairFails();
      throw error;
    }
  }

  /** Ends every connection now; requests under way fail. The certificate source stays its owner's. */
  async close(): Promise<void> {
    this.#options.clientCertificate?.off('change', this.#onChange);
    this.#rotation.stop();
    await Promise.all([this.#current, ...this.#retired].map((connections) => connections.destroy()));
  }

  readonly #onChange = (identity: ClientIdentity) => {
    this.#rotation.offer(new ConnectionSet(this.#settings, identity));
  };

  async #tryCandidate(candidate: ConnectionSet): Promise<void> {
    const probe = this.#options.rotationProbe?.() ?? null;
    if (probe !== null) readJson(await this.#send(candidate, probe), candidate.target);
  }

  #adopt(candidate: ConnectionSet): void {
    const old = this.#current;
    this.#current = candidate;
    void this.#retire(old);
    if (candidate.identity !== null) this.emit('rotated', candidate.identity);
  }

  /** Requests under way on the old connections end by themselves; `close()` may cut them short. */
  async #retire(old: ConnectionSet): Promise<void> {
    this.#retired.add(old);
    await Promise.allSettled([old.close()]);
    this.#retired.delete(old);
  }

  async #send(connections: ConnectionSet, request: ManagerRequest): Promise<RawAnswer> {
    const answer = await connections.exchange(await this.#raw(request, AbortSignal.timeout(this.#timeoutOf(request))));
    if (!isSuccess(answer.status)) throw readFailure(answer, connections.target);
    return answer;
  }

  #timeoutOf(request: ManagerRequest): number {
    return request.timeoutMs ?? this.#options.requestTimeoutMs ?? DEFAULTS.requestTimeoutMs;
  }

  async #raw(request: ManagerRequest, timeout: AbortSignal): Promise<RawRequest> {
    return {
      method: request.method,
      path: this.#pathOf(request),
      headers: {
        ...(await this.#headers()),
        accept: 'application/json',
        'content-type': 'application/json',
        ...request.headers,
      },
      body: request.body === undefined ? null : JSON.stringify(request.body),
      signal: request.signal === undefined ? timeout : AbortSignal.any([timeout, request.signal]),
    };
  }

  async #headers(): Promise<Record<string, string>> {
    const authentication = await this.#options.authentication?.();
    return { 'user-agent': this.#options.userAgent ?? 'sallyport', ...authentication };
  }

  #pathOf(request: Pick<ManagerRequest, 'path' | 'query'>): string {
    const query = new URLSearchParams(request.query).toString();
    return `${this.#basePath}${request.path}${query === '' ? '' : `?${query}`}`;
  }
}

function parseBaseUrl(text: string): URL {
  const url = URL.parse(text);
  const plain = url?.username === '' && url.password === '' && url.search === '' && url.hash === '';
  if (url === null || url.protocol !== 'https:' || !plain) {
    throw new TypeError(`The manager's address must be https://host[:port][/base], not "${redacted(text, url)}".`);
  }
  return url;
}

/** A user and password in the URL must not reach a log by way of the complaint about them. */
function redacted(text: string, url: URL | null): string {
  return url !== null && (url.username !== '' || url.password !== '' || url.search !== '') ? `${url.origin}/...` : text;
}

const isSuccess = (status: number): boolean => status >= 200 && status <= 299;

/** Enough for any refusal; the rest is not worth reading. */
const REFUSAL_BYTES = 64 * 1024;

async function beginningOf(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > REFUSAL_BYTES) break;
  }
  return Buffer.concat(chunks).toString();
}
