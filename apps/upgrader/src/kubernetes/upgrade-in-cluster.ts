import type { Logger } from 'pino';
import { EXIT, UpgradeError } from '../config/exit-codes.ts';
import type { Target, UpgraderConfig } from '../config/upgrader-config.ts';
import { withoutMirror } from '../decision/decide.ts';
import type { UpgradeChecks } from '../manager/upgrade-checks.ts';
import { Cluster, type Workload } from './cluster.ts';
import { upgradeWorkload, type WorkloadUpgrade } from './upgrade-workload.ts';

type KubernetesTarget = Extract<Target, { platform: 'kubernetes' }>;

/**
 * The delegate's Deployment, then the CronJob that runs this program, also when the delegate's image is refused: a newer
 * upgrader may be what is needed. Throws UpgradeError; when both fail the one with the higher exit code, the other is logged.
 */
export async function upgradeInCluster(
  config: UpgraderConfig,
  target: KubernetesTarget,
  checks: UpgradeChecks,
  logger: Logger,
): Promise<void> {
  const cluster = Cluster.load(target.kubeconfig, config.callTimeoutMs);
  const shared = { cluster, images: config.images, dryRun: config.dryRun, logger };
  const failures: UpgradeError[] = [];
  const delegateName = await upgradeDelegate(shared, target, checks, failures);
  try {
    await upgradeWorkload(
      { ...shared, ask: (current) => checks.upgrader(current, delegateName) },
      { kind: 'CronJob', name: target.cronJobName, namespace: target.namespace },
      target.cronJobContainerName,
    );
  } catch (error) {
    if (!(error instanceof UpgradeError)) throw error;
    failures.push(error);
  }
  const [worst, ...others] = failures.toSorted((a, b) => b.exit - a.exit);
  for (const { message, remedy, exit } of others) logger.error({ remedy, exit }, message);
  if (worst !== undefined) throw worst;
}

/** Returns the delegate's name. A refusal is put with the failures; throws UpgradeError for all else. */
async function upgradeDelegate(
  shared: Omit<WorkloadUpgrade, 'ask'>,
  target: KubernetesTarget,
  checks: UpgradeChecks,
  failures: UpgradeError[],
): Promise<string> {
  let delegateName = target.workloadName;
  const ask = (current: string, workload: Workload) => {
    delegateName = delegateNameOf(workload, target);
    return checks.delegate(current, delegateName);
  };
  try {
    const name = { kind: 'Deployment', name: target.workloadName, namespace: target.namespace } as const;
    const image = await upgradeWorkload({ ...shared, ask }, name, target.containerName);
    // From here on the manager waits for the delegate to come back with it.
    if (image !== null) await checks.delegate(withoutMirror(image, shared.images), delegateName);
  } catch (error) {
    if (!(error instanceof UpgradeError) || error.exit !== EXIT.refused) throw error;
    failures.push(error);
  }
  return delegateName;
}

/** The name that the delegate registers with: in its environment, or the Deployment's when it is not written there. */
function delegateNameOf({ containers }: Workload, target: KubernetesTarget): string {
  const container = containers.find(({ name }) => name === target.containerName);
  return container?.env?.find(({ name }) => name === 'DELEGATE_NAME')?.value ?? target.workloadName;
}
