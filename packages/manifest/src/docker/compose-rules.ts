import {
  certificatePath,
  delegateWishes,
  keyPath,
  mountDirectory,
  upgraderWish,
  type Wish,
  wishMessage,
  wrongValueCode,
} from '../delegate-variables.ts';
import { at, repairAt } from '../edit/repair.ts';
import type { Rule } from '../edit/settle.ts';
import type { YamlCursor } from '../edit/yaml-cursor.ts';
import { addItem, addPair, removeItem, setScalar } from '../edit/yaml-edits.ts';
import type { Problem, Repair } from '../finding.ts';
import {
  type ComposeService,
  interpolates,
  serviceEnvFiles,
  serviceMounts,
  serviceVariables,
} from './compose-services.ts';
import { type DockerTarget, envFileAdvice, folderKept, mountKept } from './docker-target.ts';

export interface ComposeScene {
  readonly delegate: ComposeService;
  readonly upgraders: readonly ComposeService[];
  readonly target: DockerTarget;
}

export const composeRules: readonly Rule<ComposeScene>[] = [
  duplicates,
  variables,
  envFiles,
  certificateMounts,
  upgraders,
];

function* variables({ delegate, target }: ComposeScene): Iterable<Problem> {
  for (const wish of delegateWishes(target)) yield* variable(delegate, wish);
}

/** `environment` wins over them, and what it does not set comes from there. */
function* envFiles({ delegate: { service }, target }: ComposeScene): Iterable<Problem> {
  for (const { path, cursor } of serviceEnvFiles(service))
    yield* envFileAdvice(path, at(cursor), serviceVariables(service), target);
}

function* upgraders({ upgraders: services, target }: ComposeScene): Iterable<Problem> {
  if (!target.endpoint) return;
  for (const service of services) yield* variable(service, upgraderWish(target.endpoint));
}

function* duplicates({ delegate, target }: ComposeScene): Iterable<Problem> {
  for (const { name } of delegateWishes(target)) {
    const settings = serviceVariables(delegate.service).filter((each) => each.name === name && each.inList);
    for (const { cursor } of settings.slice(0, -1)) {
      yield {
        code: 'DUPLICATE_VARIABLE',
        at: at(cursor),
        message: `${name} is set twice; only the last one counts.`,
        remedy: 'Remove all but the last.',
        repair: repairAt(cursor, `removed the first of two settings of ${name}`, () => [removeItem(cursor)]),
      };
    }
  }
}

function* variable({ service }: ComposeService, wish: Wish): Iterable<Problem> {
  const { name, value: wanted } = wish;
  const present = serviceVariables(service).findLast((each) => each.name === name);
  const remedy = `Set ${name} to ${wanted}.`;
  if (present && (interpolates(present.value ?? '') || (present.value === undefined && present.inList))) {
    const message = `${name} comes from the environment of docker compose or its .env file (${present.value ?? name}).`;
    yield { code: 'EXTERNAL_VALUE', at: at(present.cursor), message, remedy: `${remedy.slice(0, -1)} there.` };
    return;
  }
  if (present?.value === wanted || (!present && !wish.required)) return;
  yield {
    code: present?.value ? wrongValueCode(wish) : wish.code,
    at: at(present?.cursor ?? service),
    message: wishMessage(wish, present?.value),
    remedy,
    repair: present
      ? repairAt(present.cursor, `set ${name} to ${wanted}`, () => [
          setScalar(present.cursor, present.inList ? `${name}=${wanted}` : wanted),
        ])
      : added(service, name, wanted),
  };
}

function added(service: YamlCursor, name: string, value: string): () => Repair {
  const environment = service.get('environment');
  return repairAt(environment ?? service, `added ${name} with the value ${value}`, () => {
    if (!environment) return [addPair(service, 'environment', { [name]: value })];
    return [environment.seq ? addItem(environment, `${name}=${value}`) : addPair(environment, name, value)];
  });
}

function* certificateMounts({ delegate: { service }, target }: ComposeScene): Iterable<Problem> {
  const mounts = serviceMounts(service);
  const directory = mounts.find((each) => each.target === mountDirectory);
  if (directory) {
    yield* folderKept(directory.source, target.files, at(directory.cursor));
    return;
  }
  for (const [path, role] of [
    [certificatePath, 'certificate'],
    [keyPath, 'key'],
  ] as const) {
    const present = mounts.find((each) => each.target === path);
    const wanted = target.files?.[role]?.replaceAll('$', '$$$$'); // compose takes $$ for a dollar sign
    const foreign = present && (present.source === undefined || interpolates(present.source));
    if (wanted !== undefined && foreign && present.source !== wanted)
      yield mountKept(path, present.source, [wanted], at(present.cursor));
    if (wanted === undefined || (present && (foreign || present.source === wanted))) continue;
    const list = service.get('volumes');
    yield {
      code: present ? 'SECRET_OUTDATED' : 'MOUNT_MISSING',
      at: at(present?.cursor ?? list ?? service),
      message: present ? `${path} is mounted from ${present.source}.` : `The service has nothing at ${path}.`,
      remedy: `Mount ${wanted} there, read-only.`,
      repair: present
        ? repairAt(present.cursor, `mounted ${wanted} at ${path}`, () => [
            remount(present.cursor, present.source ?? '', wanted),
          ])
        : repairAt(list ?? service, `mounted ${wanted} at ${path}`, () => [
            list ? addItem(list, `${wanted}:${path}:ro`) : addPair(service, 'volumes', [`${wanted}:${path}:ro`]),
          ]),
    };
  }
}

function remount(mount: YamlCursor, source: string, wanted: string) {
  const long = mount.get('source');
  return long ? setScalar(long, wanted) : setScalar(mount, wanted + (mount.text ?? '').slice(source.length));
}
