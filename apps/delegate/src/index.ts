export { ConfigurationError, type DelegateConfig, readDelegateConfig } from './config/delegate-config.ts';
export { EXIT } from './config/exit-codes.ts';
export { DEFAULT_TIMINGS, type Timings } from './config/timings.ts';
export { type RunningDelegate, startDelegate } from './delegate.ts';
export { createLogger } from './logger.ts';
export { runDelegate } from './run.ts';
