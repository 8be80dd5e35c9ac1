import { inMountDirectory } from '../container-path.ts';
import { uncheckedCertificate } from '../credentials.ts';
import { delegateWishes } from '../delegate-variables.ts';
import { EditableText } from '../edit/editable-text.ts';
import { at, repairAt } from '../edit/repair.ts';
import { inOrder, type Rule, settle } from '../edit/settle.ts';
import { YamlCursor } from '../edit/yaml-cursor.ts';
import { addPair, renameKey, setScalar } from '../edit/yaml-edits.ts';
import { YamlFile } from '../edit/yaml-file.ts';
import type { Endpoint } from '../endpoint.ts';
import type { Problem } from '../finding.ts';
import { helmValueKeys } from '../form.ts';
import { imageFault } from '../image-tag.ts';
import { ManifestError } from '../manifest-error.ts';
import type { MigrateOptions, Migration } from '../migration.ts';
import { report, warningsFrom } from '../migration-report.ts';
import { refusal, refuseDuplicates, refuseUnparsable } from '../yaml-refusals.ts';
import { certificateCompanion, secretNameFor, secretStep } from './chart-secret.ts';

/** The values of one delegate: the file itself, or the part of an umbrella chart's values that goes to the delegate's chart. */
export interface ValuesScene {
  readonly values: YamlCursor;
  readonly endpoint: Endpoint | undefined;
  readonly secretName: string | undefined;
  readonly continuousIntegration: boolean;
}

export const valuesRules: readonly Rule<ValuesScene>[] = [misspelt, managerEndpoint, secretName, ownVariables];

/** Migrates Helm values: managerEndpoint moves manager, logs and upgrader in one, mTLS.secretName brings the certificate. */
export function migrateHelmValues(text: string, endpoint: Endpoint, options: MigrateOptions): Migration {
  const source = new EditableText(text);
  const file = new YamlFile(source);
  refuseUnparsable(file);
  const values = chooseValues(file, options.delegate);
  refuseUnfit(values, source);
  refuseDuplicates(file);

  const name = values.get('delegateName')?.text ?? 'delegate';
  const present = secretSpellings(values)
    .map((cursor) => cursor?.text)
    .find((text) => text);
  const wanted = secretNameFor(name, present, options, (code, message) => refusal(source, code, message, values));
  const path = values.link.kind === 'pair' ? values.link.key : undefined;
  const read = (): ValuesScene => ({
    values: valuesAt(file, path) ?? values,
    endpoint,
    secretName: wanted,
    continuousIntegration: options.continuousIntegration ?? false,
  });
  const applied = settle(file, read, inOrder(valuesRules));
  const left = valuesRules.flatMap((rule) => [...rule(read())]);
  const place = at(read().values);
  return {
    form: 'helm-values',
    text: source.text,
    ...report(applied),
    warnings: warningsFrom(
      [...left, secretStep(wanted, place), ...uncheckedCertificate(options.certificate, options.inspector, place)],
      source,
    ),
    companions: certificateCompanion(wanted, undefined, options),
  };
}

/** Where delegates' values stand: at the top, or one key below it. */
export function valuesOf(file: YamlFile): YamlCursor[] {
  const root = file.parts.map((part) => YamlCursor.root(part)).find((cursor) => cursor?.map);
  if (!root) return [];
  return isDelegateValues(root) ? [root] : root.entries().filter(isDelegateValues);
}

function valuesAt(file: YamlFile, key: string | undefined): YamlCursor | undefined {
  const root = file.parts.map((part) => YamlCursor.root(part)).find((cursor) => cursor?.map);
  return key === undefined ? root : root?.get(key);
}

function isDelegateValues(cursor: YamlCursor): boolean {
  const keys = cursor.keys();
  return helmValueKeys.some((key) => keys.includes(key));
}

function chooseValues(file: YamlFile, wanted: string | undefined): YamlCursor {
  const found = valuesOf(file);
  const nameOf = (cursor: YamlCursor) => [
    cursor.get('delegateName')?.text,
    cursor.link.kind === 'pair' ? cursor.link.key : undefined,
  ];
  const matching = wanted === undefined ? found : found.filter((cursor) => nameOf(cursor).includes(wanted));
  const [chosen, another] = matching;
  if (chosen && !another) return chosen;
  const first = found[0];
  if (!first) {
    const root = valuesAt(file, undefined);
    const message =
      'These values hold no delegate: none of delegateName, managerEndpoint, delegateDockerImage or mTLS stands at the top or one key below.';
    throw new ManifestError(
      'NO_DELEGATE',
      message,
      root && file.source.originalPosition(root.part.offsetInFile(root.offset)),
    );
  }
  const list = found.map((cursor) => `"${nameOf(cursor).find((name) => name !== undefined) ?? ''}"`).join(', ');
  if (!chosen)
    throw refusal(
      file.source,
      'DELEGATE_UNKNOWN',
      `There is no delegate "${wanted}" in these values; they hold ${list}.`,
      first,
    );
  throw refusal(
    file.source,
    'SEVERAL_DELEGATES',
    `The values hold several delegates: ${list}. Say which one is meant with --delegate NAME.`,
    another ?? chosen,
  );
}

function refuseUnfit(values: YamlCursor, source: EditableText): void {
  const image = values.get('delegateDockerImage');
  const fault = image?.text ? imageFault(image.text) : undefined;
  if (image && fault) throw refusal(source, 'IMAGE_NOT_IMMUTABLE', fault, image);
  for (const mount of values.get('custom_mounts')?.items() ?? []) {
    const path = mount.get('mountPath');
    if (path?.text === undefined || !inMountDirectory(path.text)) continue;
    const [code, what] = mount.get('subPath')
      ? (['SUBPATH_MOUNT', 'with subPath, which never sees a renewed certificate'] as const)
      : (['MOUNT_CONFLICT', 'by hand'] as const);
    throw refusal(
      source,
      code,
      `"${path.text}" is mounted ${what}, and mTLS.secretName mounts the certificate at /etc/mtls: remove that entry of custom_mounts and its volume first.`,
      path,
    );
  }
}

/** mTLS.secretName, in the spellings that people give it. */
function secretSpellings(values: YamlCursor): (YamlCursor | undefined)[] {
  const maps = ['mTLS', 'mtls', 'mTls', 'MTLS'].map((key) => values.get(key));
  return maps.flatMap((map) => ['secretName', 'secretname', 'secret'].map((key) => map?.get(key)));
}

/** Helm drops values that the chart does not know without a word. */
function* misspelt({ values }: ValuesScene): Iterable<Problem> {
  const wrong = values.get('mtls') ?? values.get('mTls') ?? values.get('MTLS');
  if (wrong && wrong.link.kind === 'pair') {
    const { key } = wrong.link;
    yield {
      code: 'HELM_KEY_MISSPELT',
      at: at(wrong),
      message: `The chart knows no value "${key}" and ignores it: it is written mTLS.`,
      remedy: 'Write mTLS.',
      ...(!values.get('mTLS') && {
        repair: repairAt(wrong, `renamed "${key}" to "mTLS"`, () => [renameKey(wrong, 'mTLS')]),
      }),
    };
  }
  const secret = values.get('mTLS');
  const name = secret?.get('secretname') ?? secret?.get('secret');
  if (secret && name && !secret.get('secretName') && name.link.kind === 'pair') {
    const { key } = name.link;
    yield {
      code: 'HELM_KEY_MISSPELT',
      at: at(name),
      message: `The chart knows no value "mTLS.${key}" and ignores it.`,
      remedy: 'Write mTLS.secretName.',
      repair: repairAt(name, `renamed "mTLS.${key}" to "mTLS.secretName"`, () => [renameKey(name, 'secretName')]),
    };
  }
}

function* managerEndpoint({ values, endpoint }: ValuesScene): Iterable<Problem> {
  if (!endpoint) return;
  const present = values.get('managerEndpoint');
  if (present?.text === endpoint.url) return;
  yield {
    code: 'MANAGER_OLD',
    at: at(present ?? values),
    message: 'The delegate, its logs and its upgrader connect under managerEndpoint.',
    remedy: `Set managerEndpoint to ${endpoint.url}.`,
    repair: repairAt(present ?? values, `set managerEndpoint to ${endpoint.url}`, () => [
      present ? setScalar(present, endpoint.url) : addPair(values, 'managerEndpoint', endpoint.url),
    ]),
  };
}

function* secretName({ values, secretName: wanted }: ValuesScene): Iterable<Problem> {
  const mtls = values.get('mTLS');
  const present = mtls?.get('secretName');
  if (wanted === undefined || present?.text === wanted) return;
  yield {
    code: 'HELM_SECRET_MISSING',
    at: at(present ?? mtls ?? values),
    message:
      'With mTLS.secretName the chart mounts the client certificate and tells delegate and upgrader where it is.',
    remedy: `Set mTLS.secretName to ${wanted}.`,
    repair: repairAt(present ?? mtls ?? values, `set mTLS.secretName to ${wanted}`, () => {
      if (present) return [setScalar(present, wanted)];
      return [mtls ? addPair(mtls, 'secretName', wanted) : addPair(values, 'mTLS', { secretName: wanted })];
    }),
  };
}

/** Variables of one's own (`custom_envs`) win over what the chart derives from managerEndpoint and mTLS. */
function* ownVariables({ values, endpoint, continuousIntegration }: ValuesScene): Iterable<Problem> {
  for (const item of values.get('custom_envs')?.items() ?? []) {
    const name = item.get('name')?.text;
    const wish = delegateWishes({ endpoint, continuousIntegration }).find((each) => each.name === name);
    const value = item.get('value');
    if (!wish || !value || value.text === wish.value) continue;
    yield {
      code: wish.code,
      at: at(value),
      message: `${wish.why} custom_envs sets ${wish.name}, which wins over the chart.`,
      remedy: `Set ${wish.name} to ${wish.value}, or remove it.`,
      repair: repairAt(value, `set ${wish.name} in custom_envs to ${wish.value}`, () => [setScalar(value, wish.value)]),
    };
  }
}
