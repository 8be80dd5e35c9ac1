import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { EXIT, UpgradeError } from '../config/exit-codes.ts';
import type { Target, UpgraderConfig } from '../config/upgrader-config.ts';
import { withoutMirror } from '../decision/decide.ts';
import type { UpgradeChecks } from '../manager/upgrade-checks.ts';
import { type ContainerDetails, type DockerEngine, withoutSlash } from './engine.ts';

export interface DockerParts {
  readonly engine: DockerEngine;
  readonly checks: UpgradeChecks;
  readonly config: UpgraderConfig;
  readonly target: Extract<Target, { platform: 'docker' }>;
  readonly logger: Logger;
}

const MOST_ASKED_EVERY_MS = 5_000;

/** Tells the manager what runs now. It may be away for a moment, and is told at the next run then. */
export async function tell(
  { checks, config, logger }: DockerParts,
  container: ContainerDetails,
  image: string,
): Promise<void> {
  try {
    await checks.delegate(withoutMirror(image, config.images), delegateNameOf(container));
  } catch (error) {
    if (!(error instanceof UpgradeError)) throw error;
    logger.warn(`the manager was not told: ${error.message}`);
  }
}

/**
 * Null when the delegate of a new container registers within `registrationMinutes` from now and is connected; otherwise what
 * happened instead. Throws UpgradeError with `manager` when the manager could not be asked at the end of that: whoever does
 * not know may not take a delegate away that works.
 */
export async function registrationFailure(
  { engine, checks, target, config }: DockerParts,
  id: string,
  image: string,
  since: number,
): Promise<UpgradeError | null> {
  const deadline = Date.now() + target.registrationMs;
  const everyMs = Math.min(MOST_ASKED_EVERY_MS, target.registrationMs / 20);
  let last: UpgradeError | null = null;
  for (;;) {
    const container = await engine.container(id);
    if (container === null || (!container.State.Running && container.State.Restarting !== true)) {
      return new UpgradeError(
        EXIT.rolledBack,
        `The new container of ${image} ended.`,
        `Look at why ${image} does not start.`,
      );
    }
    try {
      const { connected } = await checks.registered({
        delegateName: delegateNameOf(container),
        imageTag: withoutMirror(image, config.images),
        hostName: container.Config.Hostname ?? '',
        since,
      });
      if (connected) return null;
      last = null;
    } catch (error) {
      // The manager may be away for a moment; the time goes on.
      if (!(error instanceof UpgradeError)) throw error;
      last = error;
    }
    if (Date.now() >= deadline) {
      const minutes = target.registrationMs / 60_000;
      if (last !== null) {
        throw new UpgradeError(
          EXIT.manager,
          `Nobody could say whether the delegate of ${image} registered; it stays as it is, and the old container beside it. ${last.message}`,
          `The next run asks again. ${last.remedy}`,
          last,
        );
      }
      return new UpgradeError(
        EXIT.rolledBack,
        `The delegate of ${image} did not register within ${minutes} minutes.`,
        'Look at the log of the new version; registrationMinutes is the time it is given.',
      );
    }
    await sleep(everyMs);
  }
}

/** The name that the delegate registers with. */
export function delegateNameOf({ Config, Name }: ContainerDetails): string {
  const variable = Config.Env?.find((each) => each.startsWith('DELEGATE_NAME='));
  return variable?.slice('DELEGATE_NAME='.length) ?? withoutSlash(Name);
}
