import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { ApiKeyService } from './access/api-key-service.ts';
import { apiKeyRoutes } from './access/routes.ts';
import { AccountService } from './accounts/account-service.ts';
import { AccountStore } from './accounts/account-store.ts';
import { accountRoutes, accountStatusRoute } from './accounts/routes.ts';
import { AuditStore } from './audit/audit-store.ts';
import { auditRoutes } from './audit/routes.ts';
import type { Bus } from './bus/bus.ts';
import { LocalBus } from './bus/local-bus.ts';
import { PostgresBus } from './bus/postgres-bus.ts';
import { CertificateFigures } from './certificates/certificate-figures.ts';
import { CertificateService } from './certificates/certificate-service.ts';
import { expiryNews } from './certificates/expiry-news.ts';
import { certificateRoutes } from './certificates/routes.ts';
import { type Clock, systemClock } from './clock.ts';
import type { Config, Secrets } from './config/config.ts';
import { loadMasterKey } from './config/master-key.ts';
import { loadWebhookCa } from './config/webhook-ca.ts';
import { openDatabase } from './database/open-database.ts';
import { AgentAuthentication } from './delegates/agent-authentication.ts';
import { agentGuard } from './delegates/agent-guard.ts';
import { agentRoutes } from './delegates/agent-routes.ts';
import { AgentTokens } from './delegates/agent-tokens.ts';
import { DelegateService } from './delegates/delegate-service.ts';
import { DelegateStore } from './delegates/delegate-store.ts';
import { HeartbeatLane } from './delegates/heartbeat-lane.ts';
import { LimitedAgentAuthentication } from './delegates/limited-authentication.ts';
import { PinnedDelegates, pinGuard } from './delegates/pinned-delegates.ts';
import { watchPollers } from './delegates/poller-trust.ts';
import { Presence } from './delegates/presence.ts';
import { PushStreams } from './delegates/push-streams.ts';
import { delegateRoutes } from './delegates/routes.ts';
import { accountImages } from './downloads/delegate-images.ts';
import { DownloadService } from './downloads/download-service.ts';
import { downloadRoutes } from './downloads/routes.ts';
import { authorityRoutes } from './endpoints/authority-routes.ts';
import { AuthorityService } from './endpoints/authority-service.ts';
import { EndpointService } from './endpoints/endpoint-service.ts';
import { EndpointStore } from './endpoints/endpoint-store.ts';
import { EndpointWriter } from './endpoints/endpoint-writer.ts';
import { PendingReverts } from './endpoints/pending-reverts.ts';
import { readinessRoutes } from './endpoints/readiness-routes.ts';
import { ReadinessService } from './endpoints/readiness-service.ts';
import { endpointRoutes } from './endpoints/routes.ts';
import { TrustDirectory } from './endpoints/trust-directory.ts';
import { trustSource } from './endpoints/trust-source.ts';
import { answerClientError } from './gateway/client-errors.ts';
import { checkFraming } from './gateway/framing-check.ts';
import { Gateway } from './gateway/gateway.ts';
import { type GatewayBounds, gatewayBounds } from './gateway/gateway-bounds.ts';
import { checkHost } from './gateway/host-check.ts';
import { limitsOf } from './gateway/limits.ts';
import { LiveConnections } from './gateway/live-connections.ts';
import { Penalty } from './gateway/penalty.ts';
import { loadServerCertificates } from './gateway/server-certificates.ts';
import { type AnsweredRequest, type App, buildApp } from './http/app.ts';
import { healthRoutes } from './http/health.ts';
import { openLogRoom } from './logs/log-room.ts';
import { Metrics } from './metrics/metrics.ts';
import { metricsRoutes } from './metrics/routes.ts';
import { RefusalRecorder } from './refusals/refusal-recorder.ts';
import { RefusalStore } from './refusals/refusal-store.ts';
import { refusalRoutes } from './refusals/routes.ts';
import { CrlAgeing } from './revocation/crl-ageing.ts';
import { crlRoutes } from './revocation/crl-routes.ts';
import { CrlService } from './revocation/crl-service.ts';
import { DeniedCertificateService } from './revocation/denied-certificate-service.ts';
import { deniedCertificateRoutes, identityRoutes } from './revocation/identity-routes.ts';
import { IdentityService } from './revocation/identity-service.ts';
import { agentTaskRoutes } from './tasks/agent-routes.ts';
import { taskRoutes } from './tasks/routes.ts';
import { TaskDispatcher } from './tasks/task-dispatcher.ts';
import { TaskSecrets } from './tasks/task-secrets.ts';
import { TaskService } from './tasks/task-service.ts';
import { TaskStore } from './tasks/task-store.ts';
import { tokenRoutes } from './tokens/routes.ts';
import { SecretBox } from './tokens/secret-box.ts';
import { TokenService } from './tokens/token-service.ts';
import { AccountUpgradesService } from './upgrades/account-upgrades.ts';
import { upgradeCheckRoutes } from './upgrades/agent-routes.ts';
import { CanaryEvidence } from './upgrades/canary-evidence.ts';
import { overrideRoutes } from './upgrades/override-routes.ts';
import { OverrideService } from './upgrades/override-service.ts';
import { ReleaseService } from './upgrades/release-service.ts';
import { upgradeRoutes } from './upgrades/routes.ts';
import { UpgradeCheckService } from './upgrades/upgrade-check-service.ts';
import { UpgradeJudge } from './upgrades/upgrade-judge.ts';
import { Deliverer } from './webhooks/deliverer.ts';
import { crlAgeingNews, crlAlarmNews, endpointNews, toOutbox } from './webhooks/direct-news.ts';
import { downgradeNews } from './webhooks/downgrade-news.ts';
import { Outbox } from './webhooks/outbox.ts';
import { refusalNews } from './webhooks/refusal-news.ts';
import { webhookRoutes } from './webhooks/routes.ts';
import { Sender } from './webhooks/sender.ts';
import { Teller } from './webhooks/teller.ts';
import { WebhookService } from './webhooks/webhook-service.ts';

/** Requests that a client is slow to send are cut after these, in milliseconds. */
const HEADERS_TIMEOUT_MS = 15_000;
const REQUEST_TIMEOUT_MS = 60_000;
/** Longer than delegates wait between heartbeats, so that a poller keeps its connection. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;

export interface Context {
  readonly app: App;
  readonly gateway: Gateway;
  readonly connections: LiveConnections;
  readonly accounts: AccountService;
  readonly apiKeys: ApiKeyService;
  readonly metrics: Metrics;
  /** CA of the server certificate when it is a development one, for clients to trust. */
  readonly developmentCaFile: string | null;
  close(): Promise<void>;
}

/** Builds every service. Nothing listens yet; what was opened is closed again when something fails. */
export async function createContext(
  config: Config,
  secrets: Secrets,
  logger: Logger,
  clock: Clock = systemClock,
): Promise<Context> {
  makeDataDirectory(config.dataDirectory);
  const closers: (() => void | Promise<void>)[] = [];
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    const masterKey = loadMasterKey(secrets, config.local);
    const webhookCa = loadWebhookCa(config.webhooks.caFile);
    const certificates = await loadServerCertificates(config, logger, clock.now());
    const opened = await openDatabase(
      secrets.databaseUrl === null
        ? { file: join(config.dataDirectory, 'sallyport.db') }
        : { url: secrets.databaseUrl },
    );
    closers.push(() => opened.close());
    const { database } = opened;
    const replicaId = randomUUID();
    const bus: Bus =
      secrets.databaseUrl === null
        ? new LocalBus(database, logger)
        : await PostgresBus.open(database, secrets.databaseUrl, replicaId, logger);
    closers.push(() => bus.close());

    const secretBox = new SecretBox(masterKey);
    const tokens = new TokenService({ database, bus, clock, secrets: secretBox });
    await tokens.checkMasterKey();
    const accounts = new AccountService({ database, bus, clock, tokens });
    const accountStore = new AccountStore(database);
    const apiKeys = new ApiKeyService(database, clock);
    const refusalStore = new RefusalStore(database);
    const refusals = new RefusalRecorder(refusalStore, clock, logger);
    closers.push(() => refusals.flush());
    const connections = new LiveConnections();
    const directory = new TrustDirectory(trustSource(database), bus);
    const agentTokens = new AgentTokens(tokens, bus, clock);
    const bounds = gatewayBounds(limitsOf(config.limits));
    const penalty = new Penalty();
    const listeners: { server: Server | null; gateway: Gateway | null; streams: PushStreams | null } = {
      server: null,
      gateway: null,
      streams: null,
    };
    const urlOf = (fqdn: string) => endpointUrl(fqdn, config, listeners.gateway);
    const door = new AgentAuthentication(directory, agentTokens, connections, refusals, urlOf);
    const authentication = new LimitedAgentAuthentication(door, bounds.accounts, penalty);

    const delegateStore = new DelegateStore(database);
    const presence = new Presence(replicaId, delegateStore, clock, logger);
    const pinned = new PinnedDelegates({ directory, delegates: delegateStore, presence, refusals });
    const logs = await openLogRoom({
      ...{ config, secrets, masterKey, database, accounts: accountStore, bus, clock, logger, apiKeys, pinned },
      activeTokens: agentTokens,
      doorWith: (verifier) =>
        new LimitedAgentAuthentication(
          new AgentAuthentication(directory, verifier, connections, refusals, urlOf),
          bounds.accounts,
          penalty,
        ),
    });
    closers.push(() => logs.close());
    const taskStore = new TaskStore(database);
    const tasks = new TaskService({
      store: taskStore,
      secrets: new TaskSecrets(secretBox),
      delegates: delegateStore,
      bus,
      clock,
      logger,
      delegateLostAfterMs: config.delegateLostAfterMs,
      keptForMs: config.tasksKeptForMs,
      logToken: (accountId, taskId, delegate) => logs.authentication.taskToken(accountId, taskId, delegate),
    });
    closers.push(() => tasks.stop());
    const overrides = new OverrideService(database, clock);
    const { rule, watchMs } = config.upgrades;
    const upgradeParts = { database, delegates: delegateStore, presence, clock };
    const upgradeJudge = new UpgradeJudge({ ...upgradeParts, logger, rule });
    closers.push(() => upgradeJudge.stop());
    const accountUpgrades = new AccountUpgradesService(database, overrides, clock, upgradeJudge);
    const delegates = new DelegateService(delegateStore, presence, clock, tasks, accountUpgrades);
    const upgradeChecks = new UpgradeCheckService({ ...upgradeParts, judge: upgradeJudge, watchMs });
    const canary = new CanaryEvidence({ ...upgradeParts, watchMs, rule });
    const dispatcher = new TaskDispatcher(taskStore, presence, bus, logger);
    closers.push(() => dispatcher.stop());
    await presence.start(secrets.databaseUrl === null);
    closers.push(() => presence.stop());
    closers.push(watchPollers(bus, directory, presence));

    const outbox = new Outbox();
    const deliverer = new Deliverer({
      ...{ database, replicaId, clock, logger, secrets: secretBox, counts: outbox.counts },
      sender: new Sender({ rules: config.webhooks, extraCa: webhookCa }),
    });
    closers.push(() => deliverer.stop());
    const teller = new Teller({ database, outbox, clock, logger, news: [refusalNews, expiryNews, downgradeNews] });
    closers.push(() => teller.stop());
    const webhooks = new WebhookService({ database, clock, outbox, secrets: secretBox, rules: config.webhooks });

    const metrics = new Metrics({
      bounds,
      connections,
      refusals,
      presence,
      tasks,
      bus,
      logs: logs.counts,
      certificates: new CertificateFigures({ database, clock, logger, endpoints: config.metricsEndpoints }),
      webhooks: outbox,
      upgrades: upgradeJudge,
      streams: () => listeners.streams?.size ?? 0,
    });
    const onAnswered = (answered: AnsweredRequest) => metrics.requests.answered(answered);
    const heartbeats = new HeartbeatLane({
      ...{ connections, sources: bounds.sources, door, limits: authentication },
      ...{ pinned, presence, logger, onAnswered },
    });
    const settle = async () => {
      await refusals.flush();
      await presence.flush();
    };
    const writer = new EndpointWriter({
      database,
      bus,
      clock,
      urlOf,
      settle,
      onChange: toOutbox(outbox, endpointNews),
    });
    const endpoints = new EndpointService({ database, writer, clock, agentDomain: config.agentDomain });
    const authorities = new AuthorityService({ database, endpoints, writer, clock, settle });
    const readiness = new ReadinessService({ database, endpoints, clock, urlOf, settle });
    const reverts = new PendingReverts({ database, writer, bus, clock, logger });
    closers.push(() => reverts.stop());
    const policyParts = { database, bus, clock, logger, endpoints, settle };
    const crls = new CrlService({ ...policyParts, onAlarm: toOutbox(outbox, crlAlarmNews) });
    const deniedCertificates = new DeniedCertificateService(policyParts);
    const identities = new IdentityService({ ...policyParts, connections });
    const ageing = new CrlAgeing({ database, clock, logger, onNotice: toOutbox(outbox, crlAgeingNews) });
    const clientCertificates = new CertificateService({ database, clock, settle });
    closers.push(() => ageing.stop());
    const downloads = new DownloadService({
      tokens,
      endpointUrl: async (accountId) => {
        const endpoint = await new EndpointStore(database).byAccount(accountId);
        return endpoint === null ? null : urlOf(endpoint.fqdn);
      },
      images: accountImages(accountUpgrades, config.images),
    });
    const app = await buildApp(
      {
        logger,
        apiKeys,
        accounts: accountStore,
        authenticateAgent: agentGuard(authentication),
        admitDelegate: pinGuard(pinned),
        authenticateLogs: logs.guard,
        beforeAuthentication: ({ raw }, _reply, done) => {
          const tooMany = bounds.sources.request(raw.socket.remoteAddress);
          if (tooMany !== null) return void penalty.serve(raw.socket, tooMany).catch(done);
          checkFraming(raw);
          checkHost(connections.of(raw.socket), raw);
          done();
        },
        onAnswered,
        server: {
          serverFactory: (listener) => {
            listeners.server = apiServer(heartbeats.inFrontOf(listener as RequestListener), bounds);
            return listeners.server;
          },
        },
      },
      healthRoutes(),
      metricsRoutes(metrics),
      accountRoutes(accounts),
      accountStatusRoute(accountStore),
      apiKeyRoutes(apiKeys),
      endpointRoutes(endpoints, urlOf),
      readinessRoutes(readiness),
      authorityRoutes(authorities),
      crlRoutes(crls),
      deniedCertificateRoutes(deniedCertificates),
      identityRoutes(identities),
      refusalRoutes(refusalStore, refusals),
      certificateRoutes(clientCertificates),
      webhookRoutes(webhooks),
      tokenRoutes(tokens),
      delegateRoutes(delegates),
      downloadRoutes(downloads),
      taskRoutes(tasks),
      auditRoutes(new AuditStore(database), accountStore),
      agentRoutes(delegates, presence, dispatcher),
      agentTaskRoutes(tasks),
      logs.routes,
      upgradeRoutes(new ReleaseService(database, canary, clock), accountUpgrades, upgradeJudge),
      overrideRoutes(overrides, accountUpgrades),
      upgradeCheckRoutes(upgradeChecks),
    );
    const { server } = listeners;
    if (server === null) throw new Error('the app was built without its server');
    closers.push(() => app.close());
    const streams = new PushStreams(
      { authentication, door, tokens: agentTokens, pinned, delegates, presence, dispatcher, connections, bus, logger },
      server,
    );
    listeners.streams = streams;
    const gateway = new Gateway(
      { pair: certificates.pair, minVersion: config.tls.minVersion, nobodysCa: certificates.nobodysCa },
      { directory, bus, refusals, connections, clock, logger, bounds },
      server,
    );
    listeners.gateway = gateway;
    closers.push(certificates.watch((pair) => gateway.replaceServerPair(pair)));
    closers.push(async () => {
      streams.stop();
      await gateway.close();
    });
    return {
      app,
      gateway,
      connections,
      accounts,
      apiKeys,
      metrics,
      developmentCaFile: certificates.developmentCaFile,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function makeDataDirectory(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new Error(`cannot make the data folder ${folder}: ${why} (set SALLYPORT_DATA_DIR to have it elsewhere)`, {
      cause,
    });
  }
}

/** An HTTP server that listens nowhere: the gateway hands it the connections that it admitted. */
function apiServer(listener: RequestListener, { counts }: GatewayBounds): Server {
  const server = createServer(
    {
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      maxHeaderSize: 16_384,
    },
    listener,
  );
  server.on('clientError', (error, socket) => answerClientError(error, socket, counts.limits));
  return server;
}

/** Where delegates of an endpoint connect to. */
function endpointUrl(fqdn: string, config: Config, gateway: Gateway | null): string {
  const port = config.mtlsAdvertisedPort ?? gateway?.mtlsPort ?? config.mtlsListen.port;
  return port === 443 ? `https://${fqdn}` : `https://${fqdn}:${port}`;
}
