import type { Logger } from 'pino';
import type { Target, UpgraderConfig } from '../config/upgrader-config.ts';
import { withoutMirror } from '../decision/decide.ts';
import type { UpgradeChecks } from '../manager/upgrade-checks.ts';
import { Cluster, type Workload } from './cluster.ts';
import { upgradeWorkload } from './upgrade-workload.ts';

/** The delegate's Deployment, then the CronJob that runs this program. Throws UpgradeError. */
export async function upgradeInCluster(
  config: UpgraderConfig,
  target: Extract<Target, { platform: 'kubernetes' }>,
  checks: UpgradeChecks,
  logger: Logger,
): Promise<void> {
  const { images, dryRun } = config;
  const { namespace } = target;
  const cluster = Cluster.load(target.kubeconfig, config.callTimeoutMs);
  const shared = { cluster, images, dryRun, logger };
  let delegateName = target.workloadName;
  const image = await upgradeWorkload(
    {
      ...shared,
      ask: (current, workload) => {
        delegateName = delegateNameOf(workload, target);
        return checks.delegate(current, delegateName);
      },
    },
    { kind: 'Deployment', name: target.workloadName, namespace },
    target.containerName,
  );
  // From here on the manager waits for the delegate to come back with it.
  if (image !== null) await checks.delegate(withoutMirror(image, images), delegateName);
  await upgradeWorkload(
    { ...shared, ask: (current) => checks.upgrader(current, delegateName) },
    { kind: 'CronJob', name: target.cronJobName, namespace },
    target.cronJobContainerName,
  );
}

/** The name that the delegate registers with: in its environment, or the Deployment's when it is not written there. */
function delegateNameOf({ containers }: Workload, target: Extract<Target, { platform: 'kubernetes' }>): string {
  const container = containers.find(({ name }) => name === target.containerName);
  return container?.env?.find(({ name }) => name === 'DELEGATE_NAME')?.value ?? target.workloadName;
}
