import type { Logger } from 'pino';
import { EXIT, type ExitCode, UpgradeError } from './config/exit-codes.ts';
import type { Environment } from './config/settings.ts';
import { ConfigurationError, readUpgraderConfig, type UpgraderConfig } from './config/upgrader-config.ts';
import { createLogger } from './logger.ts';
import { UpgradeChecks } from './manager/upgrade-checks.ts';

/**
 * Runs the upgrader from its configuration to its exit code. In Kubernetes that is one look; with Docker and a schedule it
 * goes on until the signal is aborted. Its log goes to `output`, standard output when not given. Never throws.
 */
export async function runUpgrader(
  environment?: Environment,
  signal?: AbortSignal,
  output?: NodeJS.WritableStream,
): Promise<ExitCode> {
  let config: UpgraderConfig;
  try {
    config = readUpgraderConfig(environment);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    createLogger('info', output).error(
      { problems: error.problems },
      'the configuration of the upgrader is wrong; nothing is changed',
    );
    return EXIT.configuration;
  }
  const logger = createLogger(config.logLevel, output);
  const { target } = config;
  if (target.platform === 'docker' && target.schedule !== null) {
    const { followSchedule } = await import('./docker/follow-schedule.ts');
    await followSchedule(target.schedule, () => runOnce(config, logger), signal);
    return EXIT.done;
  }
  return runOnce(config, logger);
}

/** One look, and what comes of it. Never throws: what went wrong is in the log. */
async function runOnce(config: UpgraderConfig, logger: Logger): Promise<ExitCode> {
  let checks: UpgradeChecks | null = null;
  try {
    checks = await UpgradeChecks.create(config);
    const { target } = config;
    // Loaded when needed: the Kubernetes client is large, and a docker host has no use for it.
    if (target.platform === 'kubernetes') {
      const { upgradeInCluster } = await import('./kubernetes/upgrade-in-cluster.ts');
      await upgradeInCluster(config, target, checks, logger);
    } else {
      const { upgradeContainer } = await import('./docker/upgrade-container.ts');
      await upgradeContainer(config, target, checks, logger);
    }
    return EXIT.done;
  } catch (error) {
    if (error instanceof UpgradeError) {
      logger.error({ remedy: error.remedy, exit: error.exit }, error.message);
      return error.exit;
    }
    logger.fatal({ err: error }, 'the upgrader failed');
    return EXIT.failed;
  } finally {
    await checks?.close();
  }
}
