// Kubernetes objects as plain data, for tests: small accessors that fail loudly.
import assert from 'node:assert/strict';
import { parseAllDocuments } from 'yaml';

export type Plain = null | string | number | boolean | Plain[] | { [key: string]: Plain };
export type PlainMap = { [key: string]: Plain };

export function isMap(value: Plain | undefined): value is PlainMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value at a path, or undefined. */
export function at(value: Plain | undefined, ...path: (string | number)[]): Plain | undefined {
  return path.reduce<Plain | undefined>((found, key) => {
    if (Array.isArray(found)) return found[Number(key)];
    return isMap(found) ? found[key] : undefined;
  }, value);
}

export function mapAt(value: Plain | undefined, ...path: (string | number)[]): PlainMap {
  const found = at(value, ...path);
  assert(isMap(found), `no map at ${path.join('.')}`);
  return found;
}

/** The list at a key, made when it is missing. */
export function list(owner: PlainMap, key: string): Plain[] {
  const found = owner[key];
  if (Array.isArray(found)) return found;
  const made: Plain[] = [];
  owner[key] = made;
  return made;
}

export function maps(value: Plain | undefined): PlainMap[] {
  return Array.isArray(value) ? value.filter(isMap) : [];
}

export function named(value: Plain | undefined, name: string): PlainMap | undefined {
  return maps(value).find((item) => item['name'] === name);
}

export function nameOf(object: PlainMap): string {
  return String(at(object, 'metadata', 'name'));
}

/** The objects of a manifest, those of a `List` included; the text must be well-formed YAML, with unique keys unless told. */
export function objectsIn(text: string, { uniqueKeys = true } = {}): PlainMap[] {
  return parseAllDocuments(text, { merge: true, uniqueKeys }).flatMap((document) => {
    assert(
      'errors' in document && document.errors.length === 0,
      'errors' in document ? String(document.errors[0]) : 'no document',
    );
    const value = document.toJS() as Plain;
    if (!isMap(value)) return [];
    const listed = /^(.*)List$/.exec(String(value['kind']))?.[1];
    if (listed === undefined) return [value];
    // Items of a typed list need not say what they are.
    const known = listed === '' ? {} : { apiVersion: value['apiVersion'] ?? null, kind: listed };
    return maps(value['items']).map((item) => ({ ...known, ...item }));
  });
}

export function podSpec(object: PlainMap): PlainMap | undefined {
  const path =
    object['kind'] === 'CronJob' ? ['spec', 'jobTemplate', 'spec', 'template', 'spec'] : ['spec', 'template', 'spec'];
  const found = at(object, ...path);
  return isMap(found) ? found : undefined;
}

/** The container that is the delegate, told the way a person would tell it: by name and image first. */
export function delegateContainer(spec: PlainMap): PlainMap | undefined {
  const containers = maps(spec['containers']);
  const plainly = (container: PlainMap) =>
    container['name'] === 'delegate' || /\/delegate[:@]/.test(String(container['image']));
  return (
    containers.find(plainly) ?? containers.find((container) => named(container['env'], 'DELEGATE_NAME') !== undefined)
  );
}
