// A whole manager in a process of its own, so that what /proc says of the process is the server's alone.
import { createLogger, type RunningManager, readConfig, startManager } from '@sallyport/manager';
import { obey } from '../process/worker.ts';

let running: RunningManager | null = null;

const commands = {
  async start(environment: Record<string, string>) {
    const { config, secrets } = readConfig(environment);
    // The default level, on standard output, which the bench throws away.
    running = await startManager(config, secrets, createLogger(config.logLevel));
    const { publicAddress, mtlsAddress, firstOperatorKey } = running;
    return { publicPort: publicAddress.port, mtlsPort: mtlsAddress.port, operatorKey: firstOperatorKey };
  },
  async stop() {
    await running?.stop();
    running = null;
  },
  /** Needs --expose-gc. */
  collectGarbage() {
    if (globalThis.gc === undefined) throw new Error('start this worker with --expose-gc');
    globalThis.gc();
  },
};

export type ManagerCommands = typeof commands;
obey(commands);
