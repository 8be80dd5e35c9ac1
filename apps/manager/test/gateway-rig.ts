import { once } from 'node:events';
import { createServer, type Server as HttpServer, type ServerOptions } from 'node:http';
import type { Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { createAuthority, issueServerCertificate } from '@sallyport/trust';
import { pino } from 'pino';
import { LocalBus } from '../src/bus/local-bus.ts';
import { openDatabase } from '../src/database/open-database.ts';
import { AgentAuthentication } from '../src/delegates/agent-authentication.ts';
import { AgentTokens, type TokenKey } from '../src/delegates/agent-tokens.ts';
import type { MtlsEndpoint } from '../src/endpoints/endpoint-store.ts';
import { type EndpointSource, TrustDirectory } from '../src/endpoints/trust-directory.ts';
import { EndpointContexts, type ServerPair } from '../src/gateway/endpoint-contexts.ts';
import { Gateway } from '../src/gateway/gateway.ts';
import { type GatewayBounds, gatewayBounds } from '../src/gateway/gateway-bounds.ts';
import { DEFAULT_LIMITS, type Limits } from '../src/gateway/limits.ts';
import { LiveConnections } from '../src/gateway/live-connections.ts';
import { MtlsListener } from '../src/gateway/mtls-listener.ts';
import { PolicyDeadlines } from '../src/gateway/policy-deadlines.ts';
import { RefusalResponder } from '../src/gateway/refusal-responder.ts';
import { type RefusalGroup, RefusalRecorder } from '../src/refusals/refusal-recorder.ts';
import { type AccountPolicy, NO_POLICY } from '../src/revocation/account-policy.ts';

const ANY_PORT = { host: '127.0.0.1', port: 0 };

/** Endpoints in memory, read through a gate: a test holds a lookup as long as it likes, or lets it fail. */
export class GatedEndpoints implements EndpointSource {
  readonly stored = new Map<string, MtlsEndpoint>();
  /** Runs before each lookup; the stored state is read before it, as a slow database's answer would be of then. */
  gate: () => Promise<void> = async () => undefined;
  lookups = 0;

  set(accountId: string, change: Partial<MtlsEndpoint>): void {
    const before = this.stored.get(accountId) ?? {
      uuid: accountId,
      accountId,
      fqdn: `${accountId}.agent.localhost`,
      caCertificates: '',
      mode: 'LOOSE' as const,
      revision: 0,
    };
    this.stored.set(accountId, { ...before, ...change, revision: before.revision + 1 });
  }

  byAccount(accountId: string): Promise<MtlsEndpoint | null> {
    return this.#answer(this.stored.get(accountId));
  }

  byFqdn(fqdn: string): Promise<MtlsEndpoint | null> {
    return this.#answer([...this.stored.values()].find((endpoint) => endpoint.fqdn === fqdn));
  }

  async policyOf(): Promise<AccountPolicy> {
    return NO_POLICY;
  }

  async #answer(found: MtlsEndpoint | undefined): Promise<MtlsEndpoint | null> {
    this.lookups += 1;
    await this.gate();
    return found ?? null;
  }
}

export interface GatewayRigOptions {
  /** How long the directory waits for its source. */
  readonly lookupTimeoutMs?: number;
  readonly handshakeTimeoutMs?: number;
  /** Bounds that differ from the defaults. */
  readonly limits?: Partial<Limits>;
  /** Of the HTTP server behind the gateway. */
  readonly http?: ServerOptions;
}

/** The gateway with both doors over real sockets; what it looks up lies in memory, where a test can hold it. */
export interface GatewayRig {
  readonly endpoints: GatedEndpoints;
  readonly tokens: Map<string, TokenKey[]>;
  readonly bus: LocalBus;
  readonly connections: LiveConnections;
  readonly gateway: Gateway;
  readonly refusals: RefusalGroup[];
  readonly recorder: RefusalRecorder;
  readonly api: HttpServer;
  readonly bounds: GatewayBounds;
  readonly ports: { readonly public: number; readonly mtls: number };
  /** Bare sockets that the API's server was handed. */
  readonly admitted: Socket[];
  newServerPair(): Promise<ServerPair>;
  /** Another mTLS listener over the same parts, whose TLS server a test can look into. */
  mtlsListener(): Promise<MtlsListener>;
  /** Stores the change and announces it, as the API does; resolves when it is in force. */
  change(accountId: string, change: Partial<MtlsEndpoint> | null): Promise<void>;
}

/**
 * The API behind it answers `/agent?accountId=` with the second door's verdict, `/held?accountId=` the same but never
 * ending its answer, and anything else with 200.
 */
export async function gatewayRig(t: TestContext, options: GatewayRigOptions = {}): Promise<GatewayRig> {
  const opened = await openDatabase({ file: ':memory:' });
  const logger = pino({ level: 'silent' });
  const clock = { now: () => new Date() };
  const bus = new LocalBus(opened.database, logger);
  const endpoints = new GatedEndpoints();
  const tokens = new Map<string, TokenKey[]>();
  const directory = new TrustDirectory(endpoints, bus, options.lookupTimeoutMs ?? 5_000);
  const connections = new LiveConnections();
  const refusals: RefusalGroup[] = [];
  const recorder = new RefusalRecorder({ add: async (groups) => void refusals.push(...groups) }, clock, logger);
  const source = { findForAuthentication: async (accountId: string) => tokens.get(accountId) ?? [] };
  const authentication = new AgentAuthentication(
    directory,
    new AgentTokens(source, bus, clock),
    connections,
    recorder,
    (fqdn) => `https://${fqdn}:8443`,
  );

  const admitted: Socket[] = [];
  const api = createServer({ ...options.http }, (request, response) => {
    const url = new URL(request.url ?? '/', 'https://manager');
    if (url.pathname !== '/agent' && url.pathname !== '/held') {
      response.end('admitted');
      return;
    }
    const accountId = url.searchParams.get('accountId') ?? undefined;
    authentication.authenticate({ socket: request.socket, headers: request.headers, accountId }).then(
      ({ via }) => (url.pathname === '/held' ? void response.write(via.transport) : void response.end(via.transport)),
      (error: Error) => response.writeHead(401).end(error.message),
    );
  });
  api.on('connection', (socket) => admitted.push(socket));

  const now = new Date();
  const issuer = await createAuthority({ subject: { commonName: 'server CA' }, keyAlgorithm: 'EC P-256', now });
  const nobody = await createAuthority({ subject: { commonName: 'nobody' }, keyAlgorithm: 'EC P-256', now });
  const newServerPair = async (): Promise<ServerPair> => {
    const issued = await issueServerCertificate({
      authority: issuer,
      dnsNames: ['localhost', '*.agent.localhost'],
      keyAlgorithm: 'EC P-256',
      days: 1,
      now,
    });
    return { certificate: issued.certificatePem, key: issued.privateKeyPem };
  };
  const gatewayOptions = {
    pair: await newServerPair(),
    minVersion: 'TLSv1.2',
    nobodysCa: nobody.certificatePem,
    ...(options.handshakeTimeoutMs !== undefined && { handshakeTimeoutMs: options.handshakeTimeoutMs }),
  } as const;
  const bounds = gatewayBounds({ ...DEFAULT_LIMITS, ...options.limits });
  const parts = { directory, bus, refusals: recorder, connections, clock, logger, bounds };
  const gateway = new Gateway(gatewayOptions, parts, api);
  const mtlsListener = async (): Promise<MtlsListener> => {
    const { pair, minVersion } = gatewayOptions;
    const contexts = new EndpointContexts(pair, minVersion);
    const admit = ({ socket }: { socket: Socket }) => void api.emit('connection', socket);
    const listener = new MtlsListener(gatewayOptions, {
      ...{ ...parts, contexts, admit },
      responder: new RefusalResponder(),
      deadlines: new PolicyDeadlines(clock, () => undefined),
    });
    listener.server.listen(0, '127.0.0.1');
    await once(listener.server, 'listening');
    t.after(() => listener.server.close());
    return listener;
  };
  const addresses = await gateway.listen({ public: ANY_PORT, mtls: ANY_PORT });
  t.after(async () => {
    endpoints.gate = async () => undefined;
    await gateway.close();
    await recorder.flush();
    await opened.close();
  });
  return {
    endpoints,
    tokens,
    bus,
    connections,
    gateway,
    refusals,
    recorder,
    api,
    bounds,
    ports: { public: addresses.public.port, mtls: addresses.mtls.port },
    admitted,
    newServerPair,
    mtlsListener,
    change: async (accountId, change) => {
      if (change === null) endpoints.stored.delete(accountId);
      else endpoints.set(accountId, change);
      await bus.deliver({ type: 'trust-changed', accountId });
    },
  };
}

/** A gate that is closed until `open()`, and knows when somebody waits at it. */
export class Gate {
  readonly reached: Promise<void>;
  readonly #opened: Promise<void>;
  open: () => void = () => undefined;
  #reach: () => void = () => undefined;

  constructor() {
    this.reached = new Promise((resolve) => {
      this.#reach = resolve;
    });
    this.#opened = new Promise((resolve) => {
      this.open = resolve;
    });
  }

  /** For `GatedEndpoints.gate`. */
  readonly pass = (): Promise<void> => {
    this.#reach();
    return this.#opened;
  };
}

/** Resolves when the socket is closed, whatever the reason. */
export async function end(socket: Socket): Promise<void> {
  if (!socket.closed) await once(socket, 'close');
}
