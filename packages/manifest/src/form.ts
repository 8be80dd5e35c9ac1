import { isMap, isScalar } from 'yaml';
import { EditableText } from './edit/editable-text.ts';
import { YamlFile } from './edit/yaml-file.ts';
import { ManifestError } from './manifest-error.ts';

/** The forms in which people keep delegates. */
export type ManifestForm =
  | 'kubernetes'
  | 'helm-values'
  | 'helm-command'
  | 'docker-command'
  | 'compose'
  | 'upgrader-config';

export const manifestForms: readonly ManifestForm[] = [
  'kubernetes',
  'helm-values',
  'helm-command',
  'docker-command',
  'compose',
  'upgrader-config',
];

export const helmValueKeys: readonly string[] = [
  'delegateName',
  'delegateToken',
  'existingDelegateToken',
  'managerEndpoint',
  'delegateDockerImage',
  'mTLS',
];

/** Tells the form of a text. @throws ManifestError FORM_UNKNOWN, or SHAPE_UNSUPPORTED for a JSON 6902 patch. */
export function detectForm(text: string): ManifestForm {
  if (/^\uFEFF?[ \t{[]*(?:-[ \t{[]+)?["']?(?:apiVersion|kind)["']?[ \t]*:/m.test(text)) return 'kubernetes';
  const keys = topLevelKeys(text);
  if (keys.has('services')) return 'compose';
  if (keys.has('delegateConfig') || (keys.has('workloadName') && keys.has('mode'))) return 'upgrader-config';
  if (runs(text, /(?:^|[ \t;&|(])helm3?[ \t]+(?:upgrade|install|template)\b/gm)) return 'helm-command';
  if (runs(text, /(?:^|[ \t;&|(])(?:docker|podman|nerdctl)[ \t]+(?:container[ \t]+)?(?:run|create)\b/gm))
    return 'docker-command';
  if (helmValueKeys.some((key) => keys.has(key) || new RegExp(`^[ \\t]+${key}[ \\t]*:`, 'm').test(text)))
    return 'helm-values';
  if (isJsonPatch(text)) throw new ManifestError('SHAPE_UNSUPPORTED', jsonPatchRefusal, { line: 1, column: 1 });
  throw new ManifestError(
    'FORM_UNKNOWN',
    'This is no form of a delegate that is known here: a Kubernetes manifest, Helm values, a helm or docker run command, a compose file, or the upgrader’s config.yaml. If it is one of them, name the form.',
    { line: 1, column: 1 },
  );
}

export const jsonPatchRefusal =
  'A JSON 6902 patch names places by number and does not say what stands there, so it cannot be migrated. Migrate the manifest that it changes, or write it as a strategic merge patch; then take out of it what it says about the delegate.';

/** A list of operations: `op` and `path`, as JSON or YAML. */
export function isJsonPatch(text: string): boolean {
  return /^[ \t[{-]*["']?op["']?[ \t]*:/m.test(text) && /["']?path["']?[ \t]*:[ \t]*["']?\//.test(text);
}

/** Whether a command stands in the text outside comments. One pass: a line of a million spaces takes no longer than another. */
function runs(text: string, command: RegExp): boolean {
  for (const { index } of text.matchAll(command)) {
    const before = text.slice(text.lastIndexOf('\n', index - 1) + 1, index);
    if (!before.includes('#')) return true;
  }
  return false;
}

function topLevelKeys(text: string): Set<string> {
  const { parts } = new YamlFile(new EditableText(text));
  const pairs = parts.flatMap(({ document: { contents } }) => (isMap(contents) ? contents.items : []));
  return new Set(pairs.map(({ key }) => (isScalar(key) ? String(key.value) : '')));
}
