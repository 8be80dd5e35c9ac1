// Strategic merge as the API server does it, for what Deployments and CronJobs hold: mappings are merged, null removes,
// lists whose items have a merge key are merged by it, other lists are replaced.

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

/** Merge keys of the fields that have one, from the `patchMergeKey` of the API's types. */
const MERGE_KEYS: Readonly<Record<string, string>> = {
  containers: 'name',
  initContainers: 'name',
  env: 'name',
  volumes: 'name',
  volumeMounts: 'mountPath',
  ports: 'containerPort',
  imagePullSecrets: 'name',
};

export function strategicMerge(original: JsonObject, patch: JsonObject): JsonObject {
  if (patch['$patch'] === 'replace') return without(patch, '$patch');
  const merged: Record<string, Json> = { ...original };
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith('$')) continue;
    const present = original[key];
    if (value === null) delete merged[key];
    else if (isObject(value)) merged[key] = strategicMerge(isObject(present) ? present : {}, value);
    else if (Array.isArray(value) && MERGE_KEYS[key] !== undefined) {
      const order = patch[`$setElementOrder/${key}`];
      merged[key] = mergeLists(Array.isArray(present) ? present : [], value, MERGE_KEYS[key], order);
    } else merged[key] = value;
  }
  return merged;
}

function mergeLists(
  original: readonly Json[],
  patch: readonly Json[],
  mergeKey: string,
  order: Json | undefined,
): Json[] {
  const keyOf = (item: Json | undefined): Json | undefined => (isObject(item) ? item[mergeKey] : undefined);
  const merged = [...original];
  for (const item of patch) {
    if (!isObject(item)) continue;
    const index = merged.findIndex((each) => keyOf(each) === keyOf(item));
    if (item['$patch'] === 'delete') {
      if (index !== -1) merged.splice(index, 1);
    } else if (index === -1) merged.push(item);
    else {
      const present = merged[index];
      merged[index] = strategicMerge(isObject(present) ? present : {}, item);
    }
  }
  if (!Array.isArray(order)) return merged;
  const place = (item: Json) => order.findIndex((each) => keyOf(each) === keyOf(item));
  return merged.toSorted((a, b) => place(a) - place(b));
}

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function without(object: JsonObject, key: string): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([name]) => name !== key));
}
