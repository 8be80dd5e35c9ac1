export { EXIT, type ExitCode, UpgradeError } from './config/exit-codes.ts';
export { ConfigurationError, readUpgraderConfig, type UpgraderConfig } from './config/upgrader-config.ts';
export { runUpgrader } from './run.ts';
