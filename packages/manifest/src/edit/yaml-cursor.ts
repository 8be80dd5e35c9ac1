import {
  type Alias,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  Scalar,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { aliasesOf, type YamlPart } from './yaml-part.ts';

/** How a node was reached from its parent: written there, or through an alias (`*name`) or a merge key (`<<`). */
type Reached = 'own' | 'alias' | 'merge';

type Link =
  | { readonly kind: 'root' }
  | { readonly kind: 'pair'; readonly pair: Pair; readonly key: string }
  | { readonly kind: 'item'; readonly index: number };

/**
 * A place in a YAML document: a node and the way to it. Aliases and merge keys are followed, so that reading sees what
 * Kubernetes sees, and remembered, so that nobody edits text that other places share.
 */
export class YamlCursor {
  readonly part: YamlPart;
  readonly node: Node;
  readonly parent: YamlCursor | undefined;
  readonly reached: Reached;
  readonly alias: Alias | undefined;
  readonly link: Link;

  private constructor(part: YamlPart, node: Node, parent: YamlCursor | undefined, link: Link, reached: Reached) {
    this.part = part;
    this.alias = isAlias(node) ? node : undefined;
    this.node = isAlias(node) ? (node.resolve(part.document) ?? node) : node;
    this.parent = parent;
    this.link = link;
    this.reached = this.alias && reached === 'own' ? 'alias' : reached;
  }

  static root(part: YamlPart): YamlCursor | undefined {
    const { contents } = part.document;
    return contents ? new YamlCursor(part, contents, undefined, { kind: 'root' }, 'own') : undefined;
  }

  /** Where the node stands in its part; for an alias, where the alias stands. */
  get offset(): number {
    if (this.alias?.range) return this.alias.range[0];
    if (this.link.kind === 'pair' && isScalar(this.node) && this.node.value === null) return keyOffset(this.link.pair);
    return this.node.range?.[0] ?? 0;
  }

  /** Where the key of this value stands; the value itself when it has none. */
  get keyOffset(): number {
    return this.link.kind === 'pair' && this.reached !== 'merge' ? keyOffset(this.link.pair) : this.offset;
  }

  get map(): YAMLMap | undefined {
    return isMap(this.node) ? this.node : undefined;
  }

  get seq(): YAMLSeq | undefined {
    return isSeq(this.node) ? this.node : undefined;
  }

  get flow(): boolean {
    return (isMap(this.node) || isSeq(this.node)) && this.node.flow === true;
  }

  /** True for an absent value, `null` and `~`. */
  get empty(): boolean {
    return isScalar(this.node) && this.node.value === null;
  }

  /** The scalar as text: a string's value, anything else as it is written. */
  get text(): string | undefined {
    if (!isScalar(this.node) || this.node.value === null) return undefined;
    return typeof this.node.value === 'string' ? this.node.value : (this.node.source ?? String(this.node.value));
  }

  /** The plain JavaScript value, aliases and merge keys resolved. */
  get json(): unknown {
    return this.node.toJS(this.part.document);
  }

  /** The value of a key; with duplicate keys the last, as Kubernetes reads it. Own keys win over merged ones. */
  get(key: string): YamlCursor | undefined {
    if (!isMap(this.node)) return undefined;
    const pair = this.node.items.findLast((each) => keyText(each) === key);
    return pair ? this.#child(pair, key, 'own') : this.#merged(key);
  }

  at(...path: readonly string[]): YamlCursor | undefined {
    let cursor: YamlCursor | undefined = this;
    for (const key of path) cursor = cursor?.get(key);
    return cursor;
  }

  /** Every value that the map itself writes for a key: more than one means duplicate keys. */
  pairs(key: string): YamlCursor[] {
    if (!isMap(this.node)) return [];
    return this.node.items.filter((pair) => keyText(pair) === key).map((pair) => this.#child(pair, key, 'own'));
  }

  /** The values that the map itself writes, in order, merge keys left out. */
  entries(): YamlCursor[] {
    if (!isMap(this.node)) return [];
    return this.node.items.flatMap((pair) => {
      const key = keyText(pair);
      return key === undefined || key === '<<' ? [] : [this.#child(pair, key, 'own')];
    });
  }

  /** The names of the keys, once each, merged ones included. */
  keys(): string[] {
    if (!isMap(this.node)) return [];
    const own = this.node.items.flatMap((pair) => keyText(pair) ?? []).filter((key) => key !== '<<');
    return [...new Set([...own, ...this.#mergeSources().flatMap((source) => source.keys())])];
  }

  items(): YamlCursor[] {
    if (!isSeq(this.node)) return [];
    return this.node.items.flatMap((item, index) =>
      isPair(item) ? [] : [new YamlCursor(this.part, item as Node, this, { kind: 'item', index }, 'own')],
    );
  }

  #child(pair: Pair, key: string, reached: Reached): YamlCursor {
    return new YamlCursor(this.part, pairValue(pair), this, { kind: 'pair', pair, key }, reached);
  }

  #mergeSources(): YamlCursor[] {
    if (!isMap(this.node)) return [];
    return this.node.items
      .filter((pair) => keyText(pair) === '<<')
      .map((pair) => this.#child(pair, '<<', 'merge'))
      .flatMap((source) => (source.seq ? source.items() : [source]));
  }

  #merged(key: string): YamlCursor | undefined {
    if (!isMap(this.node) || !this.node.items.some((pair) => keyText(pair) === '<<')) return undefined;
    for (const source of this.#mergeSources()) {
      const found = source.get(key);
      if (found && found.link.kind === 'pair') return this.#child(found.link.pair, key, 'merge');
    }
    return undefined;
  }

  /** The way from the document's root to this place, this place included. */
  chain(): YamlCursor[] {
    return this.parent ? [...this.parent.chain(), this] : [this];
  }

  /** The first place on the way here whose text is shared with other places; editing below it would change those too. */
  shared(): YamlCursor | undefined {
    return this.chain().find(
      (step) =>
        step.reached !== 'own' ||
        (step.node.anchor !== undefined && aliasesOf(this.part.document, step.node).length > 0),
    );
  }
}

/** The value of a pair; for a key without any (`? key`, `{ key }`) a null that stands right after the key. */
function pairValue(pair: Pair): Node {
  if (pair.value) return pair.value as Node;
  const nothing = new Scalar(null);
  const end = isScalar(pair.key) ? (pair.key.range?.[1] ?? 0) : 0;
  nothing.range = [end, end, end];
  return nothing;
}

function keyText(pair: Pair): string | undefined {
  const { key } = pair;
  if (isScalar(key)) return typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
  return undefined;
}

function keyOffset(pair: Pair): number {
  return isScalar(pair.key) ? (pair.key.range?.[0] ?? 0) : 0;
}
