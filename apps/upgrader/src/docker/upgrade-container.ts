import { type ImageReference, parseImageReference } from '@sallyport/protocol';
import type { Logger } from 'pino';
import { EXIT, UpgradeError } from '../config/exit-codes.ts';
import type { Target, UpgraderConfig } from '../config/upgrader-config.ts';
import { decide, withoutMirror } from '../decision/decide.ts';
import type { UpgradeChecks } from '../manager/upgrade-checks.ts';
import { type ContainerDetails, DockerEngine } from './engine.ts';
import { delegateNameOf, type DockerParts as Parts, registrationFailure, tell } from './registration.ts';
import { registryCredentials } from './registry-credentials.ts';
import { type Replacement, replacementOf } from './replacement.ts';

type DockerTarget = Extract<Target, { platform: 'docker' }>;

/** A delegate is given this long to end its tasks, as in its manifest. */
const GRACE_SECONDS = 600;
/** On a new container the id of the one that it takes the place of. */
export const REPLACES_LABEL = 'sallyport.upgrader.replaces';
const ASIDE = '-before-upgrade-';

/**
 * The name that the old container has while it is not known yet whether the new one works. Its own id is in it: nobody
 * gives a container such a name by chance, and one of somebody else is neither started nor removed.
 */
export const asideName = (name: string, id: string): string => `${name}${ASIDE}${id.slice(0, 12)}`;

/**
 * Keeps a plain container's image current: pulls, recreates with the same settings, and puts the old container back when
 * the delegate in the new one does not register in time. Throws UpgradeError.
 */
export async function upgradeContainer(
  config: UpgraderConfig,
  target: DockerTarget,
  checks: UpgradeChecks,
  logger: Logger,
): Promise<void> {
  const engine = new DockerEngine(target.socketPath, config.callTimeoutMs);
  try {
    const containerName = await actualName(engine, target.containerName);
    await upgrade({ engine, checks, config, target: { ...target, containerName }, logger });
  } finally {
    await engine.close();
  }
}

async function upgrade(parts: Parts): Promise<void> {
  const { checks, config, target, logger } = parts;
  const { containerName } = target;
  const old = await finishInterrupted(parts);
  if (old === null) return;
  const what = `container ${containerName}`;
  if (!old.State.Running && old.State.Restarting !== true) {
    // Somebody stopped it: an upgrade would start it again.
    logger.info(`${what}: it is not running, and is left as it is`);
    return;
  }
  const current = old.Config.Image;
  const answer = await checks.delegate(withoutMirror(current, config.images), delegateNameOf(old));
  const decision = decide(current, answer, config.images);
  if (decision.action === 'refuse') throw new UpgradeError(EXIT.refused, `${what}: ${decision.why}`, decision.remedy);
  logger.info(`${what}: ${decision.why}`);
  if (decision.action === 'keep') return;
  if (config.dryRun) {
    logger.info({ image: decision.image }, `dry run: ${what} would be recreated`);
    return;
  }
  if (old.HostConfig.AutoRemove === true) {
    throw new UpgradeError(
      EXIT.configuration,
      `${what} is removed as soon as it stops (--rm): it could not be put back.`,
      'Run the delegate without --rm.',
    );
  }
  // Before anything is stopped: a registry that is down costs no delegate.
  const image = parseImageReference(decision.image);
  if (image === null) throw new Error(`${decision.image} was decided on and is no image reference`);
  await pull(parts, image, decision.image);
  await replace(parts, old, decision.image);
}

async function pull({ engine, target, logger }: Parts, image: ImageReference, text: string): Promise<void> {
  const repository = image.registry === null ? image.path : `${image.registry}/${image.path}`;
  await engine.pull(repository, image.digest ?? image.tag ?? '', registryCredentials(target.dockerConfig, image));
  // An image that was pulled by its digest is known by that only.
  const local = image.digest === null ? text : `${repository}@${image.digest}`;
  const details = await engine.image(local);
  if (details === null) {
    throw new UpgradeError(EXIT.platform, `Docker pulled ${text} and does not have it.`, 'The next run tries again.');
  }
  logger.info({ image: text, id: details.Id }, 'the image is pulled');
}

/** Old aside, new in its place; back again when the new one does not register. */
async function replace(parts: Parts, old: ContainerDetails, image: string): Promise<void> {
  const { engine, target, logger } = parts;
  const { containerName } = target;
  const oldImage = await engine.image(old.Image);
  const { body, otherNetworks } = replacementOf(old, oldImage, image, await engine.apiVersion());
  await engine.rename(old.Id, asideName(containerName, old.Id));
  let created: string | null = null;
  let failure: UpgradeError | null;
  try {
    const graceSeconds = graceSecondsOf(old);
    logger.info(`container ${containerName}: stopping; running tasks have ${graceSeconds} seconds to end`);
    await engine.stop(old.Id, graceSeconds);
    created = await engine.create(containerName, withLabel(body, old.Id));
    for (const [network, endpoint] of otherNetworks) await engine.connect(network, created, endpoint);
    const since = Date.now();
    await engine.start(created);
    await tell(parts, old, image);
    failure = await registrationFailure(parts, created, image, since);
  } catch (error) {
    if (!(error instanceof UpgradeError) || error.exit === EXIT.manager) throw error;
    failure = error;
  }
  if (failure === null) {
    await engine.remove(old.Id);
    logger.info(
      { image },
      `container ${containerName}: the delegate registered with ${image}; the old container is removed`,
    );
    return;
  }
  await rollBack(parts, old, created);
  throw new UpgradeError(
    EXIT.rolledBack,
    `container ${containerName}: ${failure.message} It runs ${old.Config.Image} again.`,
    failure.remedy,
    failure,
  );
}

/** Longer when the container was started for longer tasks. */
const graceSecondsOf = ({ Config }: ContainerDetails): number => Math.max(GRACE_SECONDS, Config.StopTimeout ?? 0);

function withLabel(body: Replacement['body'], replaced: string): object {
  const { Labels } = body;
  return { ...body, Labels: { ...(typeof Labels === 'object' && Labels), [REPLACES_LABEL]: replaced } };
}

async function rollBack(parts: Parts, old: ContainerDetails, created: string | null): Promise<void> {
  const { engine, target, logger } = parts;
  const { containerName } = target;
  logger.warn(`container ${containerName}: going back to ${old.Config.Image}`);
  if (created !== null) {
    // It may have registered and taken tasks after it was last asked about.
    await engine.stop(created, graceSecondsOf(old));
    await engine.remove(created);
  }
  // Its name last: whoever is killed in between leaves a name that says that there is something to finish.
  await engine.start(old.Id);
  await engine.rename(old.Id, containerName);
  // So that the manager knows at once.
  await tell(parts, old, old.Config.Image);
}

/** A container is named by its name, or by the service of a compose file that it is of. Throws UpgradeError when that has several. */
async function actualName(engine: DockerEngine, name: string): Promise<string> {
  if ((await engine.container(name)) !== null) return name;
  const aside = new RegExp(`${ASIDE}[0-9a-f]{12}$`);
  const names = new Set((await engine.namesOfService(name)).map((each) => each.replace(aside, '')));
  const [only = name, ...others] = names;
  if (others.length === 0) return only;
  throw new UpgradeError(
    EXIT.configuration,
    `The service "${name}" has ${names.size} containers: ${[...names].join(', ')}.`,
    'An upgrader keeps one container: name it in UPGRADER_WORKLOAD_NAME.',
  );
}

/**
 * Finishes what an upgrader that was killed half-way left: the new container stays when its delegate registers within the
 * time that it has from its start, else the old one goes back. Returns the container as it is then; null for a dry run
 * that would have to finish something first.
 */
async function finishInterrupted(parts: Parts): Promise<ContainerDetails | null> {
  const { engine, config, target, logger } = parts;
  const { containerName } = target;
  const aside = await containerAside(parts);
  if (aside !== null) {
    logger.warn(`container ${containerName}: an upgrade was interrupted`);
    if (config.dryRun) {
      logger.info(`dry run: container ${containerName}: that upgrade would be finished or taken back first`);
      return null;
    }
    const begun = await engine.container(containerName);
    if (begun !== null && begun.Config.Labels?.[REPLACES_LABEL] !== aside.Id) throw foreign(containerName, aside);
    const failure = begun === null ? null : await beginningFailure(parts, begun);
    if (begun !== null && failure === null) {
      // An engine that was restarted may have started it again.
      if (aside.State.Running) await engine.stop(aside.Id, graceSecondsOf(aside));
      await engine.remove(aside.Id);
      logger.info(`container ${containerName}: the delegate registered; the old container is removed`);
    } else {
      if (failure !== null) logger.warn({ remedy: failure.remedy }, `container ${containerName}: ${failure.message}`);
      await rollBack(parts, aside, begun?.Id ?? null);
    }
  }
  const container = await engine.container(containerName);
  if (container !== null) return container;
  throw new UpgradeError(
    EXIT.configuration,
    `Docker has no container "${containerName}".`,
    'Set UPGRADER_WORKLOAD_NAME to the name of the delegate’s container.',
  );
}

async function containerAside({ engine, target }: Parts): Promise<ContainerDetails | null> {
  const prefix = asideName(target.containerName, '');
  for (const name of await engine.namesBeginningWith(prefix)) {
    const container = await engine.container(name);
    if (container !== null && name === asideName(target.containerName, container.Id)) return container;
  }
  return null;
}

function foreign(containerName: string, aside: ContainerDetails): UpgradeError {
  return new UpgradeError(
    EXIT.configuration,
    `An upgrade was interrupted, and "${containerName}" is not the container that it created: the old one is "${asideName(containerName, aside.Id)}".`,
    'Remove the one of the two that is not needed, and name the other one as before.',
  );
}

/** Why a container that an earlier run started is no good; null when it is. */
async function beginningFailure(parts: Parts, begun: ContainerDetails): Promise<UpgradeError | null> {
  const image = begun.Config.Image;
  // Of one that never started it is the year 1.
  const startedAt = Math.max(0, Date.parse(begun.State.StartedAt ?? '') || 0);
  // The run that started it may have ended before it could say so.
  if (begun.State.Running) await tell(parts, begun, image);
  return registrationFailure(parts, begun.Id, image, Math.min(startedAt, Date.now()));
}
