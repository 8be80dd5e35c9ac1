import { lineAt, type SourceFile, type Violation } from './source-file.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The names of all variables that a reader of the environment asks for, in upper case, found by letting it read. */
export function settingsRead(read: (environment: Environment) => unknown): string[] {
  const names = new Set<string>();
  const observed = (value: string | undefined): Environment =>
    new Proxy<Record<string, string | undefined>>(
      {},
      {
        get(_target, name) {
          names.add(String(name).toUpperCase());
          return value;
        },
      },
    );
  // Twice, because some settings are asked for only when another one is there.
  for (const value of [undefined, 'x']) {
    try {
      read(observed(value));
    } catch (error) {
      // What is missing or malformed is an answer, too; the settings were asked for all the same.
      if (names.size === 0) throw error;
    }
  }
  return [...names].sort();
}

/** Compares the table rows of a page that begin with a setting's name (`| \`NAME\` |`) with the settings that the code reads. */
export function* settingsTable(
  files: readonly SourceFile[],
  page: string,
  settings: readonly string[],
): Generator<Violation, void, undefined> {
  const text = files.find(({ path }) => path === page)?.text ?? '';
  const documented = new Map<string, number>();
  for (const match of text.matchAll(/^\| `([A-Z][A-Z0-9_]*)`/gm))
    documented.set(match[1] ?? '', lineAt(text, match.index));
  for (const name of settings.filter((each) => !documented.has(each))) {
    yield {
      path: page,
      line: null,
      found: `lacks ${name}`,
      why: 'The program reads a setting that its page does not describe: nobody can use it, or knows that it is set. Add a row.',
    };
  }
  for (const [name, line] of documented) {
    if (settings.includes(name)) continue;
    yield {
      path: page,
      line,
      found: name,
      why: 'The page describes a setting that the program does not read: whoever sets it believes in something that does nothing.',
    };
  }
}
