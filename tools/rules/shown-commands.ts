import { isMarkdown, lineAt, type SourceFile, type Violation } from './source-file.ts';

/** A command of the `sallyport` program: the words that lead to it, and the flags it knows. */
export interface KnownCommand {
  readonly words: string;
  readonly verbs: readonly string[];
  /** The flags, each with whether a value follows. */
  readonly flags: ReadonlyMap<string, boolean>;
}

export interface KnownCommands {
  readonly npmScripts: readonly string[];
  /** The program itself, with the words '', and every noun and verb. */
  readonly sallyport: readonly KnownCommand[];
}

const WHY =
  'The documents show a command that does not exist: the first thing that a newcomer types fails. Show one that the program ' +
  'has (sallyport --help, "scripts" of package.json).';

/** Finds commands, in fences and in backquotes of the documents, that the program or package.json does not know. */
export function* shownCommands(
  files: readonly SourceFile[],
  known: KnownCommands,
): Generator<Violation, void, undefined> {
  const paths = new Set(files.map(({ path }) => path));
  for (const page of files.filter(isMarkdown)) {
    for (const { command, position } of commandsOf(page.text)) {
      const problem = problemOf(command, known, paths);
      if (problem === null) continue;
      yield { path: page.path, line: lineAt(page.text, position), found: `${command}  (${problem})`, why: WHY };
    }
  }
}

function* commandsOf(text: string): Generator<{ command: string; position: number }, void, undefined> {
  const fences = /^(```|~~~)(\w*)[^\n]*\n([\s\S]*?)^\1/gm;
  for (const match of text.matchAll(fences)) {
    const [fence, , language = '', body = ''] = match;
    if (!['', 'sh', 'shell', 'bash', 'console', 'text'].includes(language)) continue;
    const start = match.index + fence.indexOf(body);
    for (const line of body.matchAll(
      /^[ \t]*(?:\$ )?((?:npx sallyport|sallyport|npm|node tools\/)[ \t]?.*(?:\\\n.*)*)/gm,
    )) {
      yield { command: (line[1] ?? '').replaceAll('\\\n', ' '), position: start + line.index };
    }
  }
  for (const match of text.replace(fences, (fence) => fence.replace(/[^\n]/g, ' ')).matchAll(/`([^`\n]+)`/g)) {
    const command = match[1] ?? '';
    if (/^(npx sallyport|sallyport|npm) [a-z]/.test(command)) yield { command, position: match.index };
  }
}

function problemOf(command: string, known: KnownCommands, paths: ReadonlySet<string>): string | null {
  const [program = '', ...args] = (command.split(/\s+#|\s*[|;>]|\s&&/)[0] ?? '').trim().split(/\s+/);
  if (program === 'npm') return npmProblem(args, known.npmScripts);
  if (program === 'node') {
    const missing = args.find((word) => word.startsWith('tools/') && !paths.has(word));
    return missing === undefined ? null : `there is no ${missing}`;
  }
  return sallyportProblem(program === 'npx' ? args.slice(1) : args, known.sallyport);
}

function npmProblem([verb = '', name = '']: readonly string[], scripts: readonly string[]): string | null {
  const script = verb === 'run' ? name : verb;
  if (['ci', 'install', 'link', 'rebuild'].includes(verb) || scripts.includes(script)) return null;
  return `package.json has no script "${script}"`;
}

function sallyportProblem(args: readonly string[], commands: readonly KnownCommand[]): string | null {
  const find = (words: string) => commands.find((each) => each.words === words);
  let current = find('');
  for (let at = 0; at < args.length && current !== undefined; at += 1) {
    const word = args[at] ?? '';
    if (word === '--') return null;
    if (word.startsWith('-')) {
      const flag = word.split('=')[0] ?? '';
      const takesValue = current.flags.get(flag) ?? find('')?.flags.get(flag);
      if (takesValue === undefined) return `"${`sallyport ${current.words}`.trim()}" has no ${flag}`;
      if (takesValue && !word.includes('=')) at += 1;
    } else if (current.verbs.length > 0) {
      if (!current.verbs.includes(word)) return `there is no "sallyport ${`${current.words} ${word}`.trim()}"`;
      current = find(`${current.words} ${word}`.trim());
    }
  }
  return null;
}
