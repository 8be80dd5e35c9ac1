import type { YamlCursor } from '../edit/yaml-cursor.ts';
import { decodeBase64 } from '../pem.ts';
import type { KubernetesObject } from './objects.ts';

/** One entry of a Secret: in `data`, as base64, or in `stringData`, as it is. */
export interface SecretEntry {
  readonly key: string;
  readonly cursor: YamlCursor;
  readonly field: 'data' | 'stringData';
  /** The decoded value; undefined when `data` does not hold base64 text. */
  readonly value: string | undefined;
}

/** The entries of a Secret by key. `stringData` wins over `data`, as in Kubernetes. */
export function secretText(secret: KubernetesObject): ReadonlyMap<string, SecretEntry> {
  const found = known.get(secret) ?? entriesOf(secret);
  known.set(secret, found);
  return found;
}

const known = new WeakMap<KubernetesObject, ReadonlyMap<string, SecretEntry>>();

function entriesOf(secret: KubernetesObject): Map<string, SecretEntry> {
  const entries = new Map<string, SecretEntry>();
  for (const field of ['data', 'stringData'] as const) {
    const map = secret.root.get(field);
    for (const key of map?.keys() ?? []) {
      const cursor = map?.get(key);
      if (!cursor) continue;
      const text = cursor.text ?? '';
      entries.set(key, { key, cursor, field, value: field === 'data' ? decodeBase64(text) : text });
    }
  }
  return entries;
}

const tokenKeys = ['DELEGATE_TOKEN', 'UPGRADER_TOKEN', 'ACCOUNT_SECRET'];

export function holdsToken(secret: KubernetesObject): boolean {
  const entries = secretText(secret);
  return tokenKeys.some((key) => entries.has(key));
}
