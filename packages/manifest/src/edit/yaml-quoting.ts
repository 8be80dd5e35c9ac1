import { isMap, isPair, isScalar, isSeq, type Node, visit } from 'yaml';
import type { YamlCursor } from './yaml-cursor.ts';

export type ScalarStyle = 'plain' | 'single' | 'double';

/** How somebody writes keys and text where nothing asks for quotes. */
export interface Quoting {
  readonly keys: ScalarStyle;
  /** The style of a key's values; of all values where the key is new. */
  value(key: string | undefined): ScalarStyle;
  /** What text gets that cannot do without. */
  readonly needed: 'single' | 'double';
  /** `{ a: b }` instead of `{a: b}`. */
  readonly padding: boolean;
  /** JSON without spaces: `{"a":1,"b":2}`. */
  readonly compact: boolean;
}

export const plainQuoting: Quoting = {
  keys: 'plain',
  value: () => 'plain',
  needed: 'double',
  padding: false,
  compact: false,
};

// Nodes are never changed, and several places of one collection are asked about.
const learnt = new WeakMap<Node, Habits>();
const inDocument = new WeakMap<Node, 'single' | 'double'>();

/** Learns it from a collection and what is in it; from the ones around it as long as there is nothing to learn. */
export function quotingAround(cursor: YamlCursor): Quoting {
  const root = cursor.chain()[0] ?? cursor;
  let habits = habitsOf(cursor, root);
  for (let at = cursor.parent; at && habits.empty; at = at.parent) habits = habitsOf(at, root);
  return habits;
}

function habitsOf({ node, part }: YamlCursor, root: YamlCursor): Habits {
  const habits = learnt.get(node) ?? new Habits(node, part.text, root.node);
  learnt.set(node, habits);
  return habits;
}

/** The quotes that a document mostly has. */
function quotesIn(root: Node): 'single' | 'double' {
  const known = inDocument.get(root);
  if (known) return known;
  const quotes = new Votes();
  visit(root, {
    Scalar: (_, scalar) => {
      const style = styleOf(scalar);
      if (style !== 'plain') quotes.add(style);
    },
  });
  const found = quotes.winner === 'single' ? 'single' : 'double';
  inDocument.set(root, found);
  return found;
}

/** Text that YAML takes for text without quotes: only where it has some all the same, somebody wanted them. */
function needsNone(text: string): boolean {
  return (
    /^[A-Za-z/][\w./@:=-]*$/.test(text) && !text.endsWith(':') && !/^(?:y|n|yes|no|on|off|true|false|null)$/i.test(text)
  );
}

class Habits implements Quoting {
  readonly #keys = new Votes();
  readonly #all = new Votes();
  readonly #byKey = new Map<string, Votes>();
  readonly #root: Node;
  #padding: boolean | undefined;
  #compact: boolean | undefined;

  constructor(node: Node, text: string, root: Node) {
    this.#root = root;
    this.#read(node, undefined, text);
  }

  get empty(): boolean {
    return this.#keys.total === 0 && this.#all.total === 0;
  }

  get needed(): 'single' | 'double' {
    return quotesIn(this.#root);
  }

  get keys(): ScalarStyle {
    return this.#keys.winner;
  }

  get compact(): boolean {
    return this.#compact ?? false;
  }

  get padding(): boolean {
    return this.#padding ?? false;
  }

  value(key: string | undefined): ScalarStyle {
    // Keys in double quotes are JSON, which has no other strings.
    if (this.keys === 'double') return 'double';
    const own = key === undefined ? undefined : this.#byKey.get(key);
    return (own ?? this.#all).winner;
  }

  #read(node: unknown, key: string | undefined, text: string): void {
    if (isMap(node)) {
      if (node.flow && node.items.length > 0) this.#padding ??= text[(node.range?.[0] ?? 0) + 1] === ' ';
      for (const pair of node.items) {
        const name = isScalar(pair.key) && typeof pair.key.value === 'string' ? pair.key.value : undefined;
        if (node.flow)
          this.#compact ??= /^"[^"]*":\S/.test(text.slice((pair.key as Node).range?.[0] ?? 0).slice(0, 300));
        if (name !== undefined && needsNone(name)) this.#keys.add(styleOf(pair.key as Node));
        this.#read(pair.value, name, text);
      }
    } else if (isSeq(node)) {
      for (const item of node.items) if (!isPair(item)) this.#read(item, key, text);
    } else if (isScalar(node) && typeof node.value === 'string' && needsNone(node.value)) {
      const style = styleOf(node);
      this.#all.add(style);
      if (key === undefined) return;
      const own = this.#byKey.get(key) ?? new Votes();
      own.add(style);
      this.#byKey.set(key, own);
    }
  }
}

class Votes {
  readonly #count = { plain: 0, double: 0, single: 0 };

  get total(): number {
    return this.#count.plain + this.#count.double + this.#count.single;
  }

  get winner(): ScalarStyle {
    const { plain, double, single } = this.#count;
    if (plain >= double && plain >= single) return 'plain';
    return double >= single ? 'double' : 'single';
  }

  add(style: ScalarStyle | undefined): void {
    if (style) this.#count[style]++;
  }
}

/** Undefined for block scalars, which say nothing about quotes. */
export function styleOf(node: Node): ScalarStyle | undefined {
  if (!isScalar(node)) return undefined;
  if (node.type === 'QUOTE_DOUBLE') return 'double';
  if (node.type === 'QUOTE_SINGLE') return 'single';
  return node.type === 'PLAIN' || node.type === undefined ? 'plain' : undefined;
}
