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

/** Tells the form of a text. @throws ManifestError FORM_UNKNOWN. */
export function detectForm(text: string): ManifestForm {
  if (/^\uFEFF?[ \t]*(?:-[ \t]+|[{[ \t]*)["']?(?:apiVersion|kind)["']?[ \t]*:/m.test(text)) return 'kubernetes';
  const keys = topLevelKeys(text);
  if (keys.has('services')) return 'compose';
  if (keys.has('delegateConfig') || (keys.has('workloadName') && keys.has('mode'))) return 'upgrader-config';
  if (/^[^#\n]*?(?:^|[\s;&|(])helm3?[ \t]+(?:upgrade|install|template)\b/m.test(text)) return 'helm-command';
  if (/^[^#\n]*?(?:^|[\s;&|(])(?:docker|podman|nerdctl)[ \t]+(?:container[ \t]+)?(?:run|create)\b/m.test(text))
    return 'docker-command';
  if (helmValueKeys.some((key) => keys.has(key) || new RegExp(`^[ \\t]+${key}[ \\t]*:`, 'm').test(text)))
    return 'helm-values';
  throw new ManifestError(
    'FORM_UNKNOWN',
    'This is no form of a delegate that is known here: a Kubernetes manifest, Helm values, a helm or docker run command, a compose file, or the upgrader’s config.yaml. If it is one of them, name the form.',
    { line: 1, column: 1 },
  );
}

function topLevelKeys(text: string): Set<string> {
  const { parts } = new YamlFile(new EditableText(text));
  const pairs = parts.flatMap(({ document: { contents } }) => (isMap(contents) ? contents.items : []));
  return new Set(pairs.map(({ key }) => (isScalar(key) ? String(key.value) : '')));
}
