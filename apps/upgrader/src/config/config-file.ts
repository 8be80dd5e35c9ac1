import { parseDocument, visit } from 'yaml';

/** Of one key of the file. Numbers, true and false are texts here: an account called 0123 is not the number 123. */
export type ConfigValue = string | readonly string[];

const DEEPEST = 2;
const MOST_CHARACTERS = 65_536;

/**
 * The keys of a configuration file with their values, those of an inner mapping as `outer.inner`. Lists come as arrays of
 * texts. Returns what is wrong instead: keys that stand there twice, anchors, other YAML documents.
 */
export function readConfigFile(text: string): { values: Map<string, ConfigValue>; problems: string[] } {
  const values = new Map<string, ConfigValue>();
  if (text.length > MOST_CHARACTERS) return { values, problems: [`it is longer than ${MOST_CHARACTERS} characters.`] };
  // A key that stands there twice would be read one way here and another way by whoever looks at the file.
  const document = parseDocument(text, { uniqueKeys: true, schema: 'failsafe', prettyErrors: true });
  const problems = [...document.errors, ...document.warnings].map(({ message }) => firstLine(message));
  visit(document, {
    Alias: () => {
      problems.push('it has an alias (*name): write the value out.');
      return visit.BREAK;
    },
  });
  if (problems.length > 0) return { values, problems };
  collect(document.toJS() as unknown, '', 0, values, problems);
  return { values, problems };
}

function collect(
  value: unknown,
  path: string,
  depth: number,
  values: Map<string, ConfigValue>,
  problems: string[],
): void {
  if (isMapping(value) && depth < DEEPEST) {
    for (const [key, inner] of Object.entries(value)) {
      collect(inner, path === '' ? key : `${path}.${key}`, depth + 1, values, problems);
    }
    return;
  }
  if (path === '') problems.push('it is not a mapping of keys to values.');
  else if (typeof value === 'string') values.set(path, value);
  else if (Array.isArray(value) && value.every((item) => typeof item === 'string')) values.set(path, value);
  else problems.push(`${path}: is neither a text nor a list of texts.`);
}

const isMapping = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const firstLine = (message: string): string => message.split('\n')[0]?.replace(/:$/, '.') ?? message;
