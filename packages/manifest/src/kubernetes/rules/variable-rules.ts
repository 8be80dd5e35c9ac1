import { delegateWishes, upgraderWish, type Wish, wishMessage, wrongValueCode } from '../../delegate-variables.ts';
import { at, repairAt } from '../../edit/repair.ts';
import type { YamlCursor } from '../../edit/yaml-cursor.ts';
import { addItem, addPair, edit, removeItem, removePair, setScalar } from '../../edit/yaml-edits.ts';
import type { Problem } from '../../finding.ts';
import { encodeBase64 } from '../../pem.ts';
import type { KubernetesScene } from '../scene.ts';
import { reasonToLeave, resolveVariable, sourcesOutside, variableItems } from '../variables.ts';
import type { Workload } from '../workloads.ts';

/** The variables of the delegate's container, in the order in which missing ones are added. */
export function* variableRules(scene: KubernetesScene): Iterable<Problem> {
  yield* renamedManager(scene);
  const wishes = delegateWishes(scene.target);
  for (const wish of wishes) yield* duplicateVariable(scene.delegate, wish.name);
  const renamed =
    scene.delegate.container
      .get('env')
      ?.items()
      .some((item) => isManagerUrl(item.get('name')?.text)) ?? false;
  for (const wish of wishes) {
    if (!(renamed && wish.name === 'MANAGER_HOST_AND_PORT')) yield* variable(scene, scene.delegate, wish);
  }
}

export function* upgraderVariableRules(scene: KubernetesScene): Iterable<Problem> {
  const { endpoint } = scene.target;
  if (!endpoint) return;
  for (const job of scene.upgrader.jobs) {
    yield* variable(scene, job, upgraderWish(endpoint));
  }
}

/** A URL in the place of the name MANAGER_HOST_AND_PORT. */
export function isManagerUrl(name: string | undefined): boolean {
  return name !== undefined && /^https?:\/\//.test(name) && !/\/log-service\/*$/.test(name);
}

/** "Update the name from MANAGER_HOST_AND_PORT to https://...", followed to the letter, leaves a variable named like a URL. */
function* renamedManager({ delegate, target }: KubernetesScene): Iterable<Problem> {
  for (const item of delegate.container.get('env')?.items() ?? []) {
    const name = item.get('name');
    if (!name?.text || !/^https?:\/\//.test(name.text)) continue;
    const isLog = name.text.replace(/\/+$/, '').endsWith('/log-service');
    const proper = isLog ? 'LOG_STREAMING_SERVICE_URL' : 'MANAGER_HOST_AND_PORT';
    const taken = variableItems(delegate.container, proper).length > 0;
    const written = name.text;
    const wanted = (isLog ? target.endpoint?.logServiceUrl : target.endpoint?.url) ?? written;
    const value = item.get('value');
    yield {
      code: 'MANAGER_RENAMED',
      at: at(name),
      message: `A variable is named "${written}": the name stays ${proper}, the URL is its value.`,
      remedy: taken ? `Remove it: ${proper} is set already.` : `Name it ${proper} and make the URL its value.`,
      repair: repairAt(
        [name, ...(value ? [value] : [])],
        taken
          ? `removed the variable named "${written}"`
          : `gave the variable named "${written}" its name ${proper} back`,
        () => (taken ? [removeItem(item)] : [setScalar(name, proper), ...valueEdits(item, wanted)]),
      ),
    };
  }
}

function* duplicateVariable({ container }: Workload, name: string): Iterable<Problem> {
  for (const item of variableItems(container, name).slice(0, -1)) {
    yield {
      code: 'DUPLICATE_VARIABLE',
      at: at(item),
      message: `${name} is set twice; only the last one counts.`,
      remedy: 'Remove all but the last.',
      repair: repairAt(item, `removed the first of two settings of ${name}`, () => [removeItem(item)]),
    };
  }
}

function* variable(scene: KubernetesScene, workload: Workload, wish: Wish): Iterable<Problem> {
  const { name, value: wanted } = wish;
  const source = resolveVariable(workload, name, scene.objects);
  const known = source.kind === 'literal' || source.kind === 'key' ? source.value : undefined;
  const base = { message: wishMessage(wish, known), remedy: `Set ${name} to ${wanted}.` };
  if (source.kind === 'literal') {
    const unquoted = typeof source.item.get('value')?.json !== 'string';
    if (source.value === wanted && unquoted) yield* unquotedValue(source.item, name);
    if (source.value === wanted) return;
    const code = source.value ? wrongValueCode(wish) : wish.code;
    const place = source.item.get('value') ?? source.item;
    yield {
      ...base,
      code,
      at: at(place),
      repair: repairAt(place, `set ${name} to ${wanted}`, () => valueEdits(source.item, wanted)),
      independent: !source.item.get('value')?.text?.includes('$('), // else another repair may settle it
    };
  } else if (source.kind === 'key') {
    if (source.value === wanted) return;
    const from = `${source.object.kind} "${source.object.name}"`;
    const why = reasonToLeave(source.object, workload, scene.objects);
    if (why !== undefined) {
      yield {
        ...base,
        code: wish.code,
        at: at(source.cursor),
        repair: override(workload, source.item, wish, `${from}, which ${why},`),
      };
      return;
    }
    yield {
      ...base,
      code: wish.code,
      at: at(source.cursor),
      repair: repairAt(source.cursor, `set ${source.key} of the ${from} to ${wanted}`, () => [
        setScalar(
          source.cursor,
          source.field === 'data' && source.object.kind === 'Secret' ? encodeBase64(wanted) : wanted,
        ),
      ]),
    };
  } else if (source.kind === 'outside') {
    yield {
      code: 'EXTERNAL_VALUE',
      at: at(source.item),
      message: `${name} comes from the key "${source.key}" of the ${source.from}, which is not in this file.`,
      remedy: `Set that key to ${wanted}.`,
    };
  } else if (source.kind === 'other') {
    yield { ...base, code: wish.code, at: at(source.item), repair: override(workload, source.item, wish, 'a field') };
  } else {
    yield* absent(scene, workload, wish);
  }
}

// What people keep in a ConfigMap of settings. The certificate's variables are new, and set in the container in any case.
const mayComeFromOutside = new Set(['MANAGER_HOST_AND_PORT', 'LOG_STREAMING_SERVICE_URL']);

/** `value: true` is no text, and Kubernetes refuses the manifest for it. */
export function* unquotedValue(item: YamlCursor, name: string): Iterable<Problem> {
  const value = item.get('value');
  const text = value?.text ?? '';
  if (!value || value.empty) return;
  yield {
    code: 'VARIABLE_NOT_STRING',
    at: at(value),
    message: `${name} is ${text === '' ? 'a collection' : text}, which YAML does not read as text, and Kubernetes refuses it.`,
    remedy: `Put quotes around it: "${text}".`,
    ...(text !== '' && {
      repair: repairAt(value, `put quotes around the value of ${name}`, () => [quoted(value, text)]),
    }),
  };
}

function quoted(value: YamlCursor, text: string) {
  const [start, end] = value.alias?.range ?? [value.node.range?.[0] ?? 0, value.node.range?.[1] ?? 0];
  return edit(value.part, start, end, JSON.stringify(text));
}

function* absent({ objects }: KubernetesScene, workload: Workload, wish: Wish): Iterable<Problem> {
  const { name, value: wanted } = wish;
  const outside = mayComeFromOutside.has(name) ? sourcesOutside(workload, 'ConfigMap', objects) : [];
  if (outside.length > 0) {
    yield {
      code: 'EXTERNAL_VALUE',
      at: at(workload.container.get('envFrom') ?? workload.container),
      message: `${name} may come from the ConfigMap "${outside.join('" or "')}", which is not in this file.`,
      remedy: `Set ${name} to ${wanted} there${wish.required ? '' : ' if it is set'}.`,
    };
    return;
  }
  if (!wish.required) return;
  const { container } = workload;
  const list = container.get('env');
  yield {
    code: wish.code,
    at: at(list ?? container),
    message: wishMessage(wish, undefined),
    remedy: `Add ${name} with the value ${wanted}.`,
    repair: repairAt(list ?? container, `added ${name} with the value ${wanted}`, () => [
      list ? addItem(list, { name, value: wanted }) : addPair(container, 'env', [{ name, value: wanted }]),
    ]),
    independent: list !== undefined && list.items().length > 0,
  };
}

/** A value of its own for this container, which wins over what it came from. */
function override(
  workload: Workload,
  item: YamlCursor | undefined,
  wish: Wish,
  from: string,
): NonNullable<Problem['repair']> {
  const what = `set ${wish.name} to ${wish.value} in the container itself instead of taking it from ${from.replace(/,$/, '')}`;
  if (item) return repairAt(item, what, () => valueEdits(item, wish.value));
  const list = workload.container.get('env');
  const added = { name: wish.name, value: wish.value };
  return repairAt(list ?? workload.container, what, () => [
    list ? addItem(list, added) : addPair(workload.container, 'env', [added]),
  ]);
}

/** The edits that give an entry of `env` this literal value. */
function valueEdits(item: YamlCursor, wanted: string) {
  const value = item.get('value');
  const reference = item.get('valueFrom');
  if (value) return [setScalar(value, wanted), ...(reference ? [removePair(reference)] : [])];
  return reference ? [addPair(item, 'value', wanted), removePair(reference)] : [addPair(item, 'value', wanted)];
}
