import { CertificateFileError } from '@sallyport/client';
import { ConfigurationError, type DelegateConfig, readDelegateConfig } from './config/delegate-config.ts';
import { EXIT } from './config/exit-codes.ts';
import { type RunningDelegate, startDelegate } from './delegate.ts';
import { createLogger } from './logger.ts';

/** Runs a delegate in the foreground of this process, from its environment to its exit code. */
export async function runDelegate(): Promise<number> {
  let config: DelegateConfig;
  try {
    config = readDelegateConfig();
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    createLogger('info').fatal(
      { problems: error.problems },
      'the environment of the delegate is wrong, it does not start',
    );
    return EXIT.configuration;
  }
  const logger = createLogger(config.logLevel);
  try {
    const delegate = await startDelegate(config, logger);
    return await endedBySignal(delegate);
  } catch (error) {
    if (error instanceof CertificateFileError) {
      logger.fatal({ remedy: error.remedy }, `the delegate does not start: ${error.message}`);
      return EXIT.configuration;
    }
    logger.fatal({ err: error }, 'the delegate failed');
    return EXIT.failed;
  }
}

/**
 * SIGTERM, however often, lets the work end: who sends it twice must not lose a result by it. A person's second Ctrl-C
 * leaves at once.
 */
async function endedBySignal(delegate: RunningDelegate): Promise<number> {
  const interrupted = Promise.withResolvers<number>();
  let interrupts = 0;
  // close() never rejects unheard: `ended` carries what it throws.
  const stop = () => void delegate.close();
  const interrupt = () => {
    interrupts += 1;
    if (interrupts > 1) interrupted.resolve(EXIT.interrupted);
    else stop();
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', interrupt);
  try {
    return await Promise.race([delegate.ended, interrupted.promise]);
  } finally {
    process.off('SIGTERM', stop);
    process.off('SIGINT', interrupt);
  }
}
