import { AgentTokenSource, ClientCertificateSource, loadTrustedRoots, ManagerClient } from '@sallyport/client';
import { MAX_LOG_WRITE_BYTES, normaliseDelegateToken } from '@sallyport/protocol';
import type { Logger } from 'pino';
import { CertificateWatch } from './certificate-watch.ts';
import type { DelegateConfig } from './config/delegate-config.ts';
import { AgentApi, VERSION } from './connection/agent-api.ts';
import { ConnectionState } from './connection/connection-state.ts';
import { Session } from './connection/session.ts';
import { daysLeft, healthReport } from './health/health-report.ts';
import { type HealthServer, startHealthServer } from './health/health-server.ts';
import { createMetrics, type Metrics } from './health/metrics.ts';
import { SelfExamination } from './health/self-examination.ts';
import { AdoptedIdentity } from './logs/adopted-identity.ts';
import { LogService } from './logs/log-service.ts';
import { SpoolFolder } from './logs/spool-folder.ts';
import { TaskLogs } from './logs/task-logs.ts';
import { httpTaskHandler } from './tasks/http-task.ts';
import { ResultReporter } from './tasks/result-reporter.ts';
import { shellTaskHandler } from './tasks/shell-task.ts';
import { HandlerRegistry } from './tasks/task-handler.ts';
import { TaskRunner } from './tasks/task-runner.ts';

/** What the log of one task, and of all tasks, may take in memory until the disk has it. */
const LOG_MEMORY_BYTES = 16 * 1024 * 1024;
const TOTAL_LOG_MEMORY_BYTES = 64 * 1024 * 1024;

export interface DelegateContext {
  readonly api: AgentApi;
  readonly session: Session;
  readonly runner: TaskRunner;
  readonly reporter: ResultReporter;
  readonly logs: TaskLogs;
  readonly state: ConnectionState;
  readonly health: HealthServer;
  /** Lets go of sockets, files and watchers. */
  release(): Promise<void>;
}

/** The composition root: the only place that builds services. When it resolves, the health server listens. */
export async function createContext(config: DelegateConfig, logger: Logger): Promise<DelegateContext> {
  const { timings, clientCertificate } = config;
  const resources = new AsyncDisposableStack();
  try {
    const certificates = clientCertificate === null ? null : await ClientCertificateSource.open(clientCertificate);
    resources.defer(() => certificates?.close());
    const client = await createClient(config, certificates, () => {
      const delegateId = session.registeredId;
      return delegateId === null ? null : api.heartbeatRequest(delegateId);
    });
    resources.defer(() => client.close());
    const state = new ConnectionState(logger);
    const metrics = createMetrics({
      connected: () => state.phase === 'connected',
      certificateDaysLeft:
        certificates === null ? null : () => daysLeft(client.identity ?? certificates.current, Date.now()),
      memoryThresholdPercent: config.memoryThresholdPercent,
    });
    const http = httpTaskHandler({
      trustedRoots: () => loadTrustedRoots(config.extraCaFiles),
      proxy: config.taskProxy,
      bodyLimitBytes: config.taskOutputLimitBytes,
    });
    resources.defer(() => http.close());
    const shell = shellTaskHandler({
      environment: config.taskEnvironment,
      outputLimitBytes: config.taskOutputLimitBytes,
      killGraceMs: timings.killGraceMs,
    });
    const handlers = new HandlerRegistry([shell, http]);
    const api = new AgentApi(client, config, handlers.types);
    const logClient = await createLogClient(config, certificates, client);
    resources.defer(() => logClient.close());
    const logs = await createLogs(config, logClient, logger);
    resources.defer(() => logs.close());
    const { reporter, runner } = createTasks(config, api, handlers, logs, metrics, logger);
    const examination = new SelfExamination({
      // Loaded for those who cannot connect: with manifests and certificates it is a fifth of what a start would load.
      diagnose: async (signal) => {
        const { diagnose } = await import('@sallyport/doctor');
        return diagnose({ environment: config.environment(), signal });
      },
      afterFailures: timings.diagnoseAfterFailures,
      everyMs: timings.diagnoseEveryMs,
      logger,
    });
    resources.defer(() => examination.close());
    const session = new Session({
      api,
      state,
      timings,
      pollOnly: config.pollOnly,
      taskConcurrency: config.taskConcurrency,
      onEvents: (delegateId, events) => runner.handle(delegateId, events),
      onConnected: () => {
        reporter.retryNow();
        logs.retryNow();
      },
      onFailed: () => examination.onFailure(state.failures),
      logger,
    });
    const watch = new CertificateWatch(certificates, client, () => session.renewStream(), logger);
    const report = () =>
      healthReport({
        name: config.name,
        version: VERSION,
        manager: config.managerUrl,
        state,
        delegateId: session.registeredId,
        identity: client.identity,
        certificateProblem: watch.problem,
        verdict: examination.verdict,
        tasksRunning: runner.running,
        resultsUnreported: reporter.unreported,
        unhealthyAfterMs: config.unhealthyAfterMs,
        now: Date.now(),
      });
    const health = await startHealthServer(config.health, report, metrics.registry);
    resources.defer(() => health.close());
    return { api, session, runner, reporter, logs, state, health, release: () => resources.disposeAsync() };
  } catch (error) {
    await resources.disposeAsync();
    throw error;
  }
}

function createClient(
  config: DelegateConfig,
  certificates: ClientCertificateSource | null,
  rotationProbe: NonNullable<Parameters<typeof ManagerClient.create>[0]['rotationProbe']>,
): Promise<ManagerClient> {
  const tokens = new AgentTokenSource({
    accountId: config.accountId,
    token: config.token,
    issuer: config.name,
    audience: new URL(config.managerUrl).origin,
  });
  return ManagerClient.create({
    baseUrl: config.managerUrl,
    extraCaFiles: config.extraCaFiles,
    ...(certificates === null ? {} : { clientCertificate: certificates }),
    proxy: config.managerProxy,
    userAgent: `sallyport-delegate/${VERSION}`,
    authentication: async () => ({ authorization: await tokens.authorization() }),
    streamHeartbeatMs: config.timings.heartbeatMs,
    rotationProbe,
  });
}

/** As the manager's, without the delegate's token: the log service is shown the task's own, and may be another host. */
function createLogClient(
  config: DelegateConfig,
  certificates: ClientCertificateSource | null,
  manager: ManagerClient,
): Promise<ManagerClient> {
  return ManagerClient.create({
    baseUrl: config.logServiceUrl,
    maxResponseBytes: MAX_LOG_WRITE_BYTES,
    extraCaFiles: config.extraCaFiles,
    ...(certificates === null ? {} : { clientCertificate: new AdoptedIdentity(certificates.current, manager) }),
    proxy: config.managerProxy,
    userAgent: `sallyport-delegate/${VERSION}`,
  });
}

async function createLogs(config: DelegateConfig, client: ManagerClient, logger: Logger): Promise<TaskLogs> {
  const { accountId, logSpool, timings } = config;
  const token = config.token.reveal();
  const logs = new TaskLogs({
    service: new LogService(client, accountId, timings.logs),
    accountId,
    folder: logSpool.limitBytes === 0 ? null : await openSpool(logSpool, logger),
    secrets: [token, normaliseDelegateToken(token) ?? token],
    timings: timings.logs,
    memoryBytes: LOG_MEMORY_BYTES,
    totalMemoryBytes: TOTAL_LOG_MEMORY_BYTES,
    logger,
  });
  await logs.recover();
  return logs;
}

/** A delegate without a spool is better than none. */
async function openSpool(
  { directory, limitBytes }: DelegateConfig['logSpool'],
  logger: Logger,
): Promise<SpoolFolder | null> {
  try {
    return await SpoolFolder.open(directory, limitBytes);
  } catch (error) {
    logger.error({ err: error }, 'the log spool cannot be used: logs are lost while the log service is away');
    return null;
  }
}

function createTasks(
  config: DelegateConfig,
  api: AgentApi,
  handlers: HandlerRegistry,
  logs: TaskLogs,
  metrics: Metrics,
  logger: Logger,
): { reporter: ResultReporter; runner: TaskRunner } {
  const { reportBaseMs: baseMs, reportMaxMs: maxMs } = config.timings;
  const reporter = new ResultReporter({
    send: (delegateId, taskId, response) => api.report(delegateId, taskId, response),
    baseMs,
    maxMs,
    logger,
  });
  const runner = new TaskRunner({
    acquire: (delegateId, taskId) => api.acquire(delegateId, taskId),
    handlers,
    outputOf: (task, prints) => logs.begin(task, prints),
    reporter,
    metrics,
    concurrency: config.taskConcurrency,
    retryBaseMs: baseMs,
    retryMaxMs: maxMs,
    logger,
  });
  return { reporter, runner };
}
