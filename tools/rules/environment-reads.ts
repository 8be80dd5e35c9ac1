import { isCode, isTest, lineAt, matchesOf, type SourceFile, type Violation } from './source-file.ts';
import { codeOnly, withoutComments } from './source-text.ts';

const WHY =
  'The environment is read in a config/ folder and nowhere else: there every setting has a name, a check and a line in the ' +
  'documents. Read elsewhere, a misspelt or malformed value is silently a default, and a test cannot give its own.';

const READS = /\bprocess\??\.\s*env\b|\bprocess\[|\bimport\.meta\.env\b/g;
const IMPORTS = /\bimport\s*(?:type\s*)?\{[^}]*\benv\b[^}]*\}\s*from\s*['"](?:node:)?process['"]/g;

/** Finds environment variables that are read outside config/, tools, benchmarks and tests. */
export function* environmentReads(files: readonly SourceFile[]): Generator<Violation, void, undefined> {
  for (const file of files.filter((each) => isCode(each) && !mayRead(each.path))) {
    yield* matchesOf(file, codeOnly(file.text), READS, WHY);
    const visible = withoutComments(file.text);
    for (const match of visible.matchAll(IMPORTS)) {
      yield { path: file.path, line: lineAt(visible, match.index), found: match[0], why: WHY };
    }
  }
}

const mayRead = (path: string): boolean =>
  isTest(path) || /^(tools|packages\/dev-env)\//.test(path) || /^(packages|apps)\/[^/]+\/src\/config\//.test(path);
