import type { Logger } from 'pino';
import { type Clock, systemClock } from './clock.ts';
import type { Config, ListenAddress, Secrets } from './config/config.ts';
import { createContext } from './context.ts';
import { openScrapeListener, type ScrapeListener } from './metrics/scrape-listener.ts';

export type { Clock } from './clock.ts';
export { type Config, ConfigError, readConfig, type Secrets } from './config/config.ts';
export { openDatabase } from './database/open-database.ts';
export { createLogger } from './http/logger.ts';

/** A manager that accepts connections on both listeners. */
export interface RunningManager {
  readonly publicAddress: ListenAddress;
  readonly mtlsAddress: ListenAddress;
  /** Where metrics are served without a key; null when nowhere. */
  readonly metricsAddress: ListenAddress | null;
  readonly agentDomain: string | null;
  /** PEM file of the CA behind the server certificate when that is a development one; null when it came from files. */
  readonly developmentCaFile: string | null;
  /** The key text when this start created the first operator key: the only time it can be seen. Null otherwise. */
  readonly firstOperatorKey: string | null;
  /** Ends every connection and closes the database. What was acknowledged is stored. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Starts the control plane: database (migrated), both listeners, all background work. Rejects, with nothing left
 * running, when a file, the database or a port cannot be used; the message names it.
 */
export async function startManager(
  config: Config,
  secrets: Secrets,
  logger: Logger,
  clock: Clock = systemClock,
): Promise<RunningManager> {
  const context = await createContext(config, secrets, logger, clock);
  let scrape: ScrapeListener | null = null;
  const close = async () => {
    await scrape?.close();
    await context.close();
  };
  try {
    if (config.metricsListen !== null) scrape = await openScrapeListener(config.metricsListen, context.metrics);
    const addresses = await context.gateway.listen({ public: config.publicListen, mtls: config.mtlsListen });
    // Last: a start that fails must not have made a key that nobody was shown.
    const firstOperatorKey = await context.apiKeys.ensureFirstOperatorKey();
    logger.info(
      { public: addresses.public, mtls: addresses.mtls, agentDomain: config.agentDomain },
      'the manager accepts connections',
    );
    let stopping: Promise<void> | null = null;
    return {
      publicAddress: addresses.public,
      mtlsAddress: addresses.mtls,
      metricsAddress: scrape?.address ?? null,
      agentDomain: config.agentDomain,
      developmentCaFile: context.developmentCaFile,
      firstOperatorKey,
      stop: () => {
        stopping ??= close();
        return stopping;
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}
