/** A file of the repository as the rules see it. */
export interface SourceFile {
  /** From the root of the repository, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

/** A place where a rule of the repository is broken. */
export interface Violation {
  readonly path: string;
  /** Counted from 1; null when it is about the whole file. */
  readonly line: number | null;
  /** What was found there. */
  readonly found: string;
  /** The failure that the rule prevents, and what to do instead. */
  readonly why: string;
}

/** The line, counted from 1, that a position of the text is on. */
export function lineAt(text: string, position: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < position; at = text.indexOf('\n', at + 1)) line += 1;
  return line;
}

/** One violation for each match of the pattern (which must be global) in the text. */
export function* matchesOf(
  file: SourceFile,
  text: string,
  pattern: RegExp,
  why: string,
): Generator<Violation, void, undefined> {
  for (const match of text.matchAll(pattern)) {
    yield { path: file.path, line: lineAt(text, match.index), found: match[0].trim(), why };
  }
}

export const isCode = ({ path }: SourceFile): boolean => /\.(ts|tsx|mjs)$/.test(path);
export const isMarkdown = ({ path }: SourceFile): boolean => path.endsWith('.md');

/** Tests and what only they use: their files may do what product code may not. */
export const isTest = (path: string): boolean =>
  /\.test\.tsx?$/.test(path) || /^(tests|bench|gauntlet)\//.test(path) || /^(packages|apps)\/[^/]+\/test\//.test(path);
