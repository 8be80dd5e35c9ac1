import { isCode, matchesOf, type SourceFile, type Violation } from './source-file.ts';
import { codeOnly, withoutComments } from './source-text.ts';

const UNFINISHED_WHY =
  'A note to finish something later is not read later. Finish it, or take out what is not finished and open an issue.';
const ANY_WHY =
  'Behind any the compiler checks nothing, and it spreads through everything that touches it: a renamed field shows at run ' +
  'time, at the customer. Use the real type, or unknown and a check.';
const IGNORE_WHY =
  'A silenced compiler error hides every later error of that line as well. Mend the type; a test that needs a wrong one says ' +
  '@ts-expect-error, which fails when the error is gone.';
const LONG_WHY =
  'A file does one thing; beyond 400 lines of code (comments and blank lines not counted) there is a second one in it. ' +
  'Give that one its own file, named after its role.';

// Written so that they do not find themselves.
const UNFINISHED = /\b(?:TO[D]O|FIX[M]E|XX[X]|HA[C]K)\b|\bfor[ ]now\b/gi;
const ANY = /(?:[:<|&,(=?]|\bas|\bextends|=>|\bkeyof|\breadonly)\s*any\b(?!\s*[:(.?])/g;
const IGNORED = /@ts-(?:ignor[e]|nochec[k])/g;
const MOST_LINES = 400;

/** Finds what is left unfinished, and what tells the compiler or the next reader to look away. */
export function* looseEnds(files: readonly SourceFile[]): Generator<Violation, void, undefined> {
  for (const file of files) {
    if (file.path === 'package-lock.json' || file.path === 'LICENSE') continue;
    yield* matchesOf(file, file.text, UNFINISHED, UNFINISHED_WHY);
    if (!isCode(file)) continue;
    yield* matchesOf(file, file.text, IGNORED, IGNORE_WHY);
    yield* matchesOf(file, codeOnly(file.text), ANY, ANY_WHY);
    const lines = withoutComments(file.text)
      .split('\n')
      .filter((line) => line.trim() !== '').length;
    if (lines > MOST_LINES) yield { path: file.path, line: null, found: `${lines} lines of code`, why: LONG_WHY };
  }
}
