import type { CheckContext, Examination } from '../check/examination.ts';
import { contextEndpoint, managerFault, plainInStrict, reported } from '../check/examination.ts';
import { inMountDirectory } from '../container-path.ts';
import { mountDirectory } from '../delegate-variables.ts';
import type { EditableText } from '../edit/editable-text.ts';
import { at } from '../edit/repair.ts';
import { wholeFile } from '../edit/text-part.ts';
import { YamlFile } from '../edit/yaml-file.ts';
import type { Place, Problem } from '../finding.ts';
import { imageFault } from '../image-tag.ts';
import { yamlFaults } from '../yaml-refusals.ts';
import { composeRules } from './compose-rules.ts';
import { interpolates, serviceMounts, serviceVariables } from './compose-services.ts';
import { mountsBoth } from './docker-target.ts';
import { composeServices } from './migrate-compose.ts';
import { runCommands } from './run-command.ts';
import { runRules } from './run-rules.ts';

/** What both forms of docker have in common: variables, targets of mounts, an image. */
interface Container {
  readonly name: string;
  readonly variables: ReadonlyMap<string, { readonly value: string | undefined; readonly at: Place }>;
  readonly targets: readonly string[];
  readonly image: string | undefined;
  readonly at: Place;
}

export function examineDockerCommand(source: EditableText, context: CheckContext): Examination[] {
  const delegates = () => runCommands(source.text).filter((run) => run.role === 'delegate');
  return delegates().map((_, index) => ({
    file: { source, parts: [] },
    delegate: true,
    problems: () => {
      const run = delegates()[index];
      if (!run) return [];
      const place = (offset: number): Place => ({ part: wholeFile, offset });
      const variables = run.variables.map(
        ({ name, value, word }) => [name, { value: word.expands ? undefined : value, at: place(word.start) }] as const,
      );
      const container: Container = {
        name: run.name || run.image.value,
        variables: new Map(variables),
        targets: run.mounts.map((mount) => mount.target),
        image: run.image.expands ? undefined : run.image.value,
        at: place(run.image.start),
      };
      const scene = {
        text: source.text,
        delegate: run,
        upgraders: runCommands(source.text).filter((each) => each.role === 'upgrader'),
        target: { endpoint: endpointFor(container, context), files: undefined, continuousIntegration: false },
      };
      return containerProblems(
        container,
        context,
        runRules.flatMap((rule) => [...rule(scene)]),
      );
    },
  }));
}

export function examineCompose(source: EditableText, context: CheckContext): Examination[] {
  const file = new YamlFile(source);
  const faults: Examination = { file, delegate: false, problems: () => [...yamlFaults(file)] };
  if (file.parts.some((part) => part.fault)) return [faults];
  const delegates = () => composeServices(file).filter((service) => service.role === 'delegate');
  const examinations = delegates().map((_, index) => ({
    file,
    delegate: true,
    problems: () => {
      const delegate = delegates()[index];
      if (!delegate) return [];
      const known = (value: string | undefined) => (value !== undefined && interpolates(value) ? undefined : value);
      const variables = serviceVariables(delegate.service).map(
        ({ name, value, cursor }) => [name, { value: known(value), at: at(cursor) }] as const,
      );
      const container: Container = {
        name: delegate.name,
        variables: new Map(variables),
        targets: serviceMounts(delegate.service).map((mount) => mount.target),
        image: known(delegate.image?.text),
        at: at(delegate.image ?? delegate.service),
      };
      const scene = {
        delegate,
        upgraders: composeServices(file).filter((service) => service.role === 'upgrader'),
        target: { endpoint: endpointFor(container, context), files: undefined, continuousIntegration: false },
      };
      return containerProblems(
        container,
        context,
        composeRules.flatMap((rule) => [...rule(scene)]),
      );
    },
  }));
  return [faults, ...examinations];
}

function endpointFor({ variables }: Container, context: CheckContext) {
  return contextEndpoint(context, variables.get('MANAGER_HOST_AND_PORT')?.value);
}

function containerProblems(container: Container, context: CheckContext, problems: readonly Problem[]): Problem[] {
  const { variables, targets, image, name } = container;
  const begun =
    variables.has('DELEGATE_CLIENT_CERTIFICATE_PATH') ||
    variables.has('DELEGATE_CLIENT_CERTIFICATE_KEY_PATH') ||
    targets.some(inMountDirectory);
  const manager = variables.get('MANAGER_HOST_AND_PORT');
  const found = [...reported(problems, begun), ...managerFault(manager?.value, manager?.at ?? container.at, begun)];
  if (begun && !mountsBoth(targets)) {
    found.push({
      code: 'MOUNT_MISSING',
      at: container.at,
      message: `"${name}" does not mount both client.crt and client.key at ${mountDirectory}.`,
      remedy: `Mount both files there, read-only.`,
    });
  }
  const fault = image === undefined ? undefined : imageFault(image);
  const severity = begun || context.mode === 'STRICT' ? 'error' : 'note';
  if (fault)
    found.push({
      code: 'IMAGE_NOT_IMMUTABLE',
      severity,
      at: container.at,
      message: fault,
      remedy: 'Set an immutable tag.',
    });
  const trust = variables.get('TRUST_ALL_CERTIFICATES');
  if (trust?.value === 'true') {
    found.push({
      code: 'TRUST_ALL_CERTIFICATES',
      at: trust.at,
      message: 'TRUST_ALL_CERTIFICATES is "true": the delegate takes anybody for its manager.',
      remedy: 'Remove it, and add the CA of the manager to the delegate’s trust instead.',
    });
  }
  return [...found, ...plainInStrict(context, begun, manager?.at ?? container.at, name)];
}
