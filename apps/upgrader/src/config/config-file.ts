import { type Document, isPair, isScalar, LineCounter, parseDocument, visit } from 'yaml';

/** Of one key of the file. Numbers, true and false are texts here: an account called 0123 is not the number 123. */
export type ConfigValue = string | readonly string[];

const DEEPEST = 2;
const MOST_CHARACTERS = 65_536;

export interface ConfigFile {
  readonly values: Map<string, ConfigValue>;
  /** Where each key stands, from 1. */
  readonly lines: Map<string, number>;
  /** Keys whose value is neither a text nor a list of texts. */
  readonly malformed: string[];
  /** Of the file as a whole: then nothing of it was read. */
  readonly problems: string[];
}

/**
 * The keys of a configuration file with their values, those of an inner mapping as `outer.inner`. Lists come as arrays of
 * texts. Returns what is wrong instead: keys that stand there twice, anchors, other YAML documents.
 */
export function readConfigFile(text: string): ConfigFile {
  const values = new Map<string, ConfigValue>();
  const lines = new Map<string, number>();
  const malformed: string[] = [];
  if (text.length > MOST_CHARACTERS)
    return { values, lines, malformed, problems: [`it is longer than ${MOST_CHARACTERS} characters.`] };
  const counter = new LineCounter();
  // A key that stands there twice would be read one way here and another way by whoever looks at the file.
  const document = parseDocument(text, {
    uniqueKeys: true,
    schema: 'failsafe',
    prettyErrors: true,
    lineCounter: counter,
  });
  const problems = [...document.errors, ...document.warnings].map(({ message }) => firstLine(message));
  visit(document, {
    Alias: () => {
      problems.push('it has an alias (*name): write the value out.');
      return visit.BREAK;
    },
  });
  const whole = problems.length > 0 ? null : (document.toJS() as unknown);
  if (problems.length === 0 && !isMapping(whole)) problems.push('it is not a mapping of keys to values.');
  if (problems.length > 0) return { values, lines, malformed, problems };
  collect(whole, '', 0, values, malformed);
  locate(document, counter, lines);
  return { values, lines, malformed, problems };
}

function locate(document: Document, counter: LineCounter, lines: Map<string, number>): void {
  visit(document, {
    Pair: (_index, pair, ancestors) => {
      const path = [...ancestors.filter(isPair), pair].map(({ key }) => part(isScalar(key) ? String(key.value) : ''));
      if (isScalar(pair.key) && pair.key.range) lines.set(path.join('.'), counter.linePos(pair.key.range[0]).line);
    },
  });
}

function collect(
  value: unknown,
  path: string,
  depth: number,
  values: Map<string, ConfigValue>,
  malformed: string[],
): void {
  if (isMapping(value) && depth < DEEPEST) {
    const entries = Object.entries(value);
    for (const [key, inner] of entries) {
      collect(inner, path === '' ? part(key) : `${path}.${part(key)}`, depth + 1, values, malformed);
    }
    // A key with nothing below is there all the same: unread, it would be taken for one that is in force.
    if (entries.length === 0 && path !== '') malformed.push(path);
    return;
  }
  if (typeof value === 'string') values.set(path, value);
  else if (Array.isArray(value) && value.every((item) => typeof item === 'string')) values.set(path, value);
  else malformed.push(path);
}

/** A key with a dot in its name is not the key of an inner mapping. */
const part = (key: string): string => (/[."]/.test(key) ? JSON.stringify(key) : key);

const isMapping = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const firstLine = (message: string): string => message.split('\n')[0]?.replace(/:$/, '.') ?? message;
