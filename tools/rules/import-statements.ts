import { lineAt, type SourceFile } from './source-file.ts';
import { codeOnly, withoutComments } from './source-text.ts';

/** One way in which a file reaches another module. */
export interface ImportStatement {
  /** What is between the quotes; null when it is computed and nobody can tell. */
  readonly specifier: string | null;
  /** `import type` and `export type`: gone when the program runs. `import { type X }` is not: the module still loads. */
  readonly typeOnly: boolean;
  readonly line: number;
}

const STATIC =
  /^[ \t]*(import|export)\b(\s+type\b(?=\s*[{*\w])(?!\s+from\b))?[\w*$\s{},]*?(\bfrom\s*)?(['"])([^'"\n]+)\4/gm;
const DYNAMIC = /(?<![\w.$])(import|require|import\.meta\.resolve)\s*\(\s*(?:(['"`])([^'"`\n]*)\2\s*[,)])?/g;

/** Every import of a file, in order: static, re-exported, dynamic. Those inside comments and strings are no imports. */
export function importStatements({ text }: Pick<SourceFile, 'text'>): ImportStatement[] {
  const visible = withoutComments(text);
  const code = codeOnly(text);
  const found: Array<ImportStatement & { position: number }> = [];
  const add = (match: RegExpExecArray, keyword: string, specifier: string | null, typeOnly: boolean) => {
    const position = visible.indexOf(keyword, match.index);
    if (!code.startsWith(keyword, position)) return; // text inside a string, such as a test's sample
    found.push({ specifier, typeOnly, line: lineAt(text, position), position });
  };
  for (const match of visible.matchAll(STATIC)) {
    const [, keyword = '', type, from, , specifier = null] = match;
    if (keyword === 'export' && from === undefined) continue;
    add(match, keyword, specifier, type !== undefined);
  }
  for (const match of visible.matchAll(DYNAMIC)) {
    const [, keyword = '', quote, specifier] = match;
    const known = specifier !== undefined && !(quote === '`' && specifier.includes('${'));
    add(match, keyword, known ? specifier : null, false);
  }
  return found.sort((a, b) => a.position - b.position).map(({ position: _position, ...statement }) => statement);
}
