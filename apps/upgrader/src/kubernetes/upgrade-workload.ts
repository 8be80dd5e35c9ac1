import type { UpgradeCheck } from '@sallyport/protocol';
import type { Logger } from 'pino';
import { EXIT, UpgradeError } from '../config/exit-codes.ts';
import type { ImagePolicy } from '../config/upgrader-config.ts';
import { decide, withoutMirror } from '../decision/decide.ts';
import { type Cluster, imagePatch, type Workload, type WorkloadName } from './cluster.ts';

export interface WorkloadUpgrade {
  readonly cluster: Cluster;
  readonly images: ImagePolicy;
  readonly dryRun: boolean;
  readonly logger: Logger;
  /** Asks the manager about the image that runs now. */
  readonly ask: (image: string, workload: Workload) => Promise<UpgradeCheck>;
}

/** The Deployment's controller writes to it too, all through a rollout. */
const MOST_TRIES = 5;

/**
 * Sets the image of one container to what the manager names, when it may be taken. Returns the image it set, or null when
 * nothing was changed. Throws UpgradeError: for a missing workload or container, an image that is refused, a missing right.
 */
export async function upgradeWorkload(
  parts: WorkloadUpgrade,
  name: WorkloadName,
  containerName: string,
): Promise<string | null> {
  for (let attempt = 1; ; attempt++) {
    const workload = await parts.cluster.read(name);
    if (workload === null) throw missing(name);
    // Read and decided anew after a conflict: what somebody else has just set is not overwritten by a decision about before.
    const image = await chosen(parts, workload, containerName);
    if (image === null) return null;
    const what = `${name.kind} ${name.namespace}/${name.name}, container ${containerName}`;
    if (parts.dryRun) {
      parts.logger.info({ patch: imagePatch(workload, containerName, image) }, `dry run: ${what} would be patched`);
      return null;
    }
    if (await parts.cluster.setImage(workload, containerName, image)) {
      parts.logger.info({ image }, `${what}: the image is set to ${image}`);
      return image;
    }
    if (attempt === MOST_TRIES) {
      throw new UpgradeError(
        EXIT.platform,
        `${what}: somebody else changed it each of ${MOST_TRIES} times that it was to be patched.`,
        'Nothing was changed. The next run tries again.',
      );
    }
    parts.logger.info(`${what}: it was changed meanwhile; reading it again`);
  }
}

async function chosen(parts: WorkloadUpgrade, workload: Workload, containerName: string): Promise<string | null> {
  const container = workload.containers.find(({ name }) => name === containerName);
  const what = `${workload.kind} ${workload.namespace}/${workload.name}`;
  // Patching a container that is not there would add one.
  if (container?.image === undefined) {
    const names = workload.containers.map(({ name }) => name).join(', ') || 'none';
    throw new UpgradeError(
      EXIT.configuration,
      `${what} has no container "${containerName}"; it has ${names}.`,
      workload.kind === 'Deployment'
        ? 'Correct containerName in config.yaml.'
        : 'Set cronJobContainerName in config.yaml.',
    );
  }
  const answer = await parts.ask(withoutMirror(container.image, parts.images), workload);
  const decision = decide(container.image, answer, parts.images);
  if (decision.action === 'refuse') throw new UpgradeError(EXIT.refused, `${what}: ${decision.why}`, decision.remedy);
  parts.logger.info(`${what}: ${decision.why}`);
  return decision.action === 'set' ? decision.image : null;
}

function missing({ kind, namespace, name }: WorkloadName): UpgradeError {
  const key = kind === 'Deployment' ? 'workloadName' : 'cronJobName';
  return new UpgradeError(
    EXIT.configuration,
    `There is no ${kind} "${name}" in the namespace "${namespace}".`,
    `Correct ${key} or namespace in config.yaml.`,
  );
}
