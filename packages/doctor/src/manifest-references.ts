import { normaliseDelegateToken } from '@sallyport/protocol';

/** What the part of a manifest that describes a delegate refers to, and the file does not hold. */
export interface OutsideReferences {
  /** Where the container gets a variable from: "the Secret edge-1-token"; null when the manifest names nothing for it. */
  sourceOf(variable: string): string | null;
  /** Secrets that it mounts. */
  readonly mountedSecrets: readonly string[];
}

const VALUE = `["']?([\\w.-]+)["']?`;
const KINDS: Readonly<Record<string, string>> = {
  secretKeyRef: 'Secret',
  secretRef: 'Secret',
  configMapKeyRef: 'ConfigMap',
  configMapRef: 'ConfigMap',
};

/**
 * Looks for names in the document in which line `line` (from 1) lies. It reads text, not YAML: the names only make a
 * message more telling, and no check depends on them.
 */
export function outsideReferences(text: string, line: number): OutsideReferences {
  const documents = text.split(/^---.*$/m);
  const document = documentAt(documents, line);
  const isOutside = (kind: string, name: string): boolean => !documents.some((each) => holds(each, kind, name));
  const named = (kind: string, name: string): string[] => (isOutside(kind, name) ? [`the ${kind} ${name}`] : []);
  return {
    sourceOf(variable) {
      const own = new RegExp(
        `name["']?\\s*:\\s*["']?${variable}["']?[\\s,]+["']?valueFrom["']?[\\s:{"']+(secretKeyRef|configMapKeyRef)([^}]{0,200})`,
      ).exec(document);
      const [, field = '', rest = ''] = own ?? [];
      const [, name] = new RegExp(`name["']?\\s*:\\s*${VALUE}`).exec(rest) ?? [];
      if (name !== undefined) return named(KINDS[field] ?? '', name)[0] ?? null;
      const all = new RegExp(`(secretRef|configMapRef)["']?[\\s:{"']+name["']?\\s*:\\s*${VALUE}`, 'g');
      const sources = [...document.matchAll(all)].flatMap(([, kind = '', each = '']) => named(KINDS[kind] ?? '', each));
      return sources.length === 0 ? outsideKubernetes(document, variable) : sources.join(' or ');
    },
    mountedSecrets: [...document.matchAll(new RegExp(`secretName["']?\\s*:\\s*${VALUE}`, 'g'))]
      .map(([, name = '']) => name)
      .filter((name) => isOutside('Secret', name)),
  };
}

/** Compose files and docker commands take values from the shell or from a file, Helm values from a Secret. */
function outsideKubernetes(document: string, variable: string): string | null {
  const [, shell] = new RegExp(`${variable}["']?\\s*[:=]\\s*["']?\\$\\{?(\\w+)`).exec(document) ?? [];
  if (shell !== undefined) return `the variable ${shell} of the shell`;
  const [, secret] = new RegExp(`existingDelegateToken["']?\\s*[:=]\\s*${VALUE}`).exec(document) ?? [];
  // Whoever wrote the token itself there must not read it in the output.
  const isName = secret !== undefined && normaliseDelegateToken(secret) === null;
  if (isName && variable === 'DELEGATE_TOKEN') return `the Secret ${secret}`;
  const [, file] = /(?:--env-file[ =]|env_file["']?\s*:[\s["'-]*(?:path\s*:\s*)?)["']?([\w./-]+)/.exec(document) ?? [];
  return file === undefined ? null : `the file ${file}`;
}

function documentAt(documents: readonly string[], line: number): string {
  let last = 0;
  for (const document of documents) {
    last += document.split('\n').length - 1;
    if (line <= last) return document;
  }
  return documents.at(-1) ?? '';
}

const holds = (document: string, kind: string, name: string): boolean =>
  new RegExp(`kind["']?\\s*:\\s*["']?${kind}\\b`).test(document) &&
  new RegExp(`[{\\s,"']name["']?\\s*:\\s*["']?${name.replaceAll('.', '\\.')}["']?\\s*(?:[,}#\\n]|$)`).test(document);
