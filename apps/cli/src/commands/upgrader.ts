import { resolve } from 'node:path';
import { Command } from 'commander';
import { EXIT } from '../exit-codes.ts';
import { type Running, runUntilSignal } from '../foreground.ts';
import { example } from '../help.ts';
import type { Tools } from '../session.ts';

interface RunOptions {
  readonly config?: string;
  readonly kubeconfig?: string;
  readonly dryRun?: boolean;
}

export function upgraderCommand(tools: Tools): Command {
  const upgrader = new Command('upgrader').description('the program that keeps delegates current');
  example(upgrader.command('run'), 'sallyport upgrader run --config config.yaml --kubeconfig ~/.kube/config --dry-run')
    .description('look once whether the delegate is current, and upgrade it; with Docker and SCHEDULE, go on looking')
    .option('--config <file>', 'UPGRADER_CONFIG: its config.yaml (/etc/config/config.yaml when not given)')
    .option('--kubeconfig <file>', 'KUBECONFIG: how to reach the cluster, outside of a pod')
    .option('--dry-run', 'show what would be done and change nothing')
    .action(({ config, kubeconfig, dryRun }: RunOptions) => {
      const environment = {
        ...tools.environment.variables,
        ...(config !== undefined && { UPGRADER_CONFIG: resolve(config) }),
        ...(kubeconfig !== undefined && { KUBECONFIG: resolve(kubeconfig) }),
        ...(dryRun === true && { UPGRADER_DRY_RUN: 'true' }),
      };
      return runUntilSignal(() => start(tools, environment));
    });
  return upgrader;
}

async function start(tools: Tools, environment: Record<string, string | undefined>): Promise<Running> {
  const { EXIT: ENDED, runUpgrader } = await import('@sallyport/upgrader');
  const stopping = new AbortController();
  const ended = runUpgrader(environment, stopping.signal).then((code) => {
    // Its codes are those of a program of its own: as a command of ours it ends with ours.
    if (code === ENDED.configuration) tools.setExit(EXIT.usage);
    else if (code === ENDED.manager) tools.setExit(EXIT.unreachable);
    else if (code !== ENDED.done) tools.setExit(EXIT.failure);
  });
  const stop = () => {
    stopping.abort();
    return ended;
  };
  return { stop, ended };
}
