import { uncheckedCertificate } from '../credentials.ts';
import { EditableText } from '../edit/editable-text.ts';
import { at } from '../edit/repair.ts';
import { inOrder, settle } from '../edit/settle.ts';
import { YamlCursor } from '../edit/yaml-cursor.ts';
import { YamlFile } from '../edit/yaml-file.ts';
import type { Endpoint } from '../endpoint.ts';
import { imageFault, unknownImage } from '../image-tag.ts';
import { ManifestError } from '../manifest-error.ts';
import type { MigrateOptions, Migration } from '../migration.ts';
import { report, warningsFrom } from '../migration-report.ts';
import { refusal, refuseDuplicates, refuseUnparsable } from '../yaml-refusals.ts';
import { type ComposeScene, composeRules } from './compose-rules.ts';
import { type ComposeService, interpolates, serviceMounts, servicesOf, serviceVariables } from './compose-services.ts';
import { begunInContainer, dockerTarget, filesMissing, mountsBoth } from './docker-target.ts';

/** Migrates the delegate of a compose file; upgraders beside it get the new manager too. */
export function migrateCompose(text: string, endpoint: Endpoint, options: MigrateOptions): Migration {
  const source = new EditableText(text);
  const file = new YamlFile(source);
  const target = dockerTarget(endpoint, options);
  refuseUnparsable(file);
  refuseDuplicates(file);
  const chosen = chooseService(file, options.delegate);
  const image = chosen.image;
  const fault = image?.text !== undefined && !interpolates(image.text) ? imageFault(image.text) : undefined;
  if (image && fault) throw refusal(source, 'IMAGE_NOT_IMMUTABLE', fault, image);
  if (!target.files && !mountsBoth(serviceMounts(chosen.service).map((mount) => mount.target))) {
    throw refusal(source, 'CERTIFICATE_MISSING', `"${chosen.name}" ${filesMissing}`, chosen.service);
  }
  const read = (): ComposeScene => {
    const services = composeServices(file);
    return {
      delegate: services.find((each) => each.name === chosen.name) ?? chosen,
      upgraders: services.filter((each) => each.role === 'upgrader'),
      target,
    };
  };
  const variables = serviceVariables(chosen.service);
  const progress = {
    begun: begunInContainer(variables, serviceMounts(chosen.service)),
    atEndpoint: variables.some((each) => each.name === 'MANAGER_HOST_AND_PORT' && each.value === endpoint.url),
  };
  const applied = settle(file, read, inOrder(composeRules));
  const place = at(read().delegate.service);
  const left = composeRules.flatMap((rule) => [...rule(read())]);
  if (image?.text !== undefined && interpolates(image.text)) left.push(unknownImage(image.text, place));
  return {
    form: 'compose',
    text: source.text,
    ...report(applied, progress),
    warnings: warningsFrom([...left, ...uncheckedCertificate(options.certificate, options.inspector, place)], source),
    companions: [],
  };
}

export function composeServices(file: YamlFile): ComposeService[] {
  return file.parts.flatMap((part) => {
    const root = YamlCursor.root(part);
    return root ? servicesOf(root) : [];
  });
}

function chooseService(file: YamlFile, wanted: string | undefined): ComposeService {
  const delegates = composeServices(file).filter((each) => each.role === 'delegate');
  const named = (each: ComposeService) =>
    each.name === wanted ||
    serviceVariables(each.service).some((variable) => variable.name === 'DELEGATE_NAME' && variable.value === wanted);
  const matching = wanted === undefined ? delegates : delegates.filter(named);
  const [chosen, another] = matching;
  if (chosen && !another) return chosen;
  const first = delegates[0];
  if (!first)
    throw new ManifestError('NO_DELEGATE', 'There is no delegate among the services of this compose file.', {
      line: 1,
      column: 1,
    });
  const list = delegates.map((each) => `"${each.name}"`).join(', ');
  if (!chosen)
    throw refusal(
      file.source,
      'DELEGATE_UNKNOWN',
      `There is no delegate "${wanted}" in this file; it holds ${list}.`,
      first.service,
    );
  throw refusal(
    file.source,
    'SEVERAL_DELEGATES',
    `The file holds several delegates: ${list}. Say which one is meant with --delegate NAME.`,
    another?.service ?? chosen.service,
  );
}
