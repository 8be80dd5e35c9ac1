import type { Logger } from 'pino';
import type { DelegateConfig } from './config/delegate-config.ts';
import { EXIT } from './config/exit-codes.ts';
import { VERSION } from './connection/agent-api.ts';
import { createContext, type DelegateContext } from './context.ts';
import { createLogger } from './logger.ts';

export interface RunningDelegate {
  /** Of /api/health and /api/metrics. */
  readonly healthPort: number;
  /** The exit code (see EXIT) once the delegate has ended, by `close` or because the manager dismissed it. Never rejects. */
  readonly ended: Promise<number>;
  /**
   * Takes no more tasks, lets running ones end within the grace period, reports them, says goodbye. Calling it again
   * waits for the same end: it can't be hurried, so that impatience loses no result.
   */
  close(): Promise<void>;
}

/**
 * Starts a delegate. When it resolves, the health server listens and the first attempt to connect is under way; being
 * refused or not reaching the manager is no error here, it shows in log and health.
 * Throws CertificateFileError for certificate or CA files that can't be used, and what listening throws.
 */
export async function startDelegate(
  config: DelegateConfig,
  logger: Logger = createLogger(config.logLevel),
): Promise<RunningDelegate> {
  for (const warning of config.warnings) logger.warn(warning);
  const context = await createContext(config, logger);
  const { name, accountId, managerUrl } = config;
  const how = config.clientCertificate === null ? 'without a client certificate' : 'with mTLS';
  logger.info(
    { name, accountId, manager: managerUrl, healthPort: context.health.port, version: VERSION },
    `delegate started, ${how}`,
  );
  const ended = Promise.withResolvers<number>();
  const fault = (error: unknown) => {
    logger.fatal({ err: error }, 'the delegate failed');
    ended.resolve(EXIT.failed);
  };
  let closing: Promise<void> | null = null;
  const close = () => {
    closing ??= farewell(context, config, logger)
      .finally(() => context.release())
      .then(ended.resolve, fault);
    return closing;
  };
  const live = async () => {
    const dismissal = await context.session.run();
    if (dismissal === null || closing !== null) return;
    const { code, message, remedy } = dismissal;
    logger.fatal({ code, remedy }, `the manager dismissed this delegate: ${message}`);
    closing = dismissed(context, config)
      .finally(() => context.release())
      .then(() => ended.resolve(EXIT.dismissed), fault);
  };
  live().catch(fault);
  return { healthPort: context.health.port, ended: ended.promise, close };
}

/** Finishes the work; resolves with the exit code. */
async function farewell(context: DelegateContext, config: DelegateConfig, logger: Logger): Promise<number> {
  const { api, session, runner, reporter, logs, state } = context;
  const { gracePeriodMs, timings } = config;
  const deadline = Date.now() + gracePeriodMs;
  const { running } = runner;
  logger.info({ running, unreported: reporter.unreported, gracePeriodMs }, 'stopping: no more tasks are taken');
  runner.drain();
  const delegateId = session.registeredId;
  if (delegateId !== null) {
    // So that nothing is offered here meanwhile. Not waited for: the work goes on whether it arrives or not.
    api.announceCapacity(delegateId, 0).catch((error: unknown) => logger.debug({ err: error }, 'no word of stopping'));
  }
  if (!(await runner.idle(gracePeriodMs))) {
    logger.warn({ running: runner.running }, 'the grace period is over: the tasks that still run are ended');
    runner.interruptAll('The delegate was stopped before the task ended.');
    await runner.idle(timings.killGraceMs + timings.farewellMs);
  }
  const reported = await reporter.flushed(Math.max(deadline - Date.now(), timings.farewellMs));
  // Not longer: what is left is in the spool.
  await logs.flushed(AbortSignal.timeout(timings.farewellMs));
  if (logs.undelivered > 0) logger.warn({ logs: logs.undelivered }, 'logs are left in the spool for the next start');
  if (!reported) reporter.abandon();
  if (delegateId !== null) {
    await api
      .unregister(delegateId)
      .catch((error: unknown) => logger.warn({ err: error }, 'the goodbye did not arrive'));
  }
  session.stop();
  state.stopped();
  logger.info(reported ? 'stopped' : 'stopped, with results that the manager did not take');
  return reported ? EXIT.stopped : EXIT.failed;
}

/** Nobody would take results any more: running tasks are ended, as whoever revoked the token will want. */
async function dismissed(context: DelegateContext, config: DelegateConfig): Promise<void> {
  const { runner, reporter, state } = context;
  runner.drain();
  runner.interruptAll('The manager dismissed the delegate.');
  await runner.idle(config.timings.killGraceMs + config.timings.farewellMs);
  reporter.abandon();
  state.stopped();
}
