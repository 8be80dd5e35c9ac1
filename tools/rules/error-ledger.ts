import { isCode, isTest, type SourceFile, type Violation } from './source-file.ts';
import { withoutComments } from './source-text.ts';

export type Ledger = Readonly<
  Record<string, { readonly status: number; readonly cause: string; readonly remedy: string }>
>;

export const ERRORS_PAGE = 'docs/errors.md';
const LEDGER_FILE = 'packages/protocol/src/errors.ts';
const BEGIN =
  '<!-- The table is written by tools/write-errors-doc.ts from the ledger in packages/protocol/src/errors.ts. -->';
const END = '<!-- End of the table. -->';

/** Codes that no code raises, each with the reason why it stays in the ledger. */
const RESERVED: Readonly<Record<string, string>> = {};

/** The page with its table made from the ledger. Throws when the page has lost the two comments around the table. */
export function withLedgerTable(page: string, ledger: Ledger): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin === -1 || end < begin) {
    throw new Error(`${ERRORS_PAGE} has no place for the table. Put these two lines back:\n${BEGIN}\n${END}`);
  }
  const rows = Object.entries(ledger).map(
    ([code, { status, cause, remedy }]) => `| \`${code}\` | ${status} | ${cell(cause)} | ${cell(remedy)} |`,
  );
  const table = ['| Code | Status | Cause | Remedy |', '|---|---|---|---|', ...rows].join('\n');
  return `${page.slice(0, begin)}${BEGIN}\n\n${table}\n\n${page.slice(end)}`;
}

const cell = (text: string): string => text.replaceAll('|', '\\|');

/** Finds where the page and the ledger disagree, in either direction, and codes that nothing raises. */
export function* errorLedger(
  files: readonly SourceFile[],
  ledger: Ledger,
  reserved: Readonly<Record<string, string>> = RESERVED,
): Generator<Violation, void, undefined> {
  const page = files.find(({ path }) => path === ERRORS_PAGE)?.text ?? '';
  yield* disagreements(page, withLedgerTable(page, ledger));
  const product = files
    .filter((file) => isCode(file) && !isTest(file.path) && /^(apps|packages)\//.test(file.path))
    .filter(({ path }) => path !== LEDGER_FILE)
    .map(({ text }) => withoutComments(text));
  for (const code of Object.keys(ledger)) {
    const used = product.some((text) => new RegExp(`\\b${code}\\b`).test(text));
    if (used === !Object.hasOwn(reserved, code)) continue;
    yield {
      path: LEDGER_FILE,
      line: null,
      found: code,
      why: used
        ? 'A code that is raised is not reserved any more: take it out of RESERVED in tools/rules/error-ledger.ts.'
        : 'No code raises this error: its page tells people to expect what never comes. Take it out of the ledger, or, when ' +
          'clients know the name from before, put it into RESERVED in tools/rules/error-ledger.ts with the reason.',
    };
  }
}

function* disagreements(page: string, expected: string): Generator<Violation, void, undefined> {
  const [actualLines, expectedLines] = [page.split('\n'), expected.split('\n')];
  const why =
    'docs/errors.md and the ledger must say the same: people look up there the code that they were answered with. ' +
    'Change the ledger, then run: node tools/run.mjs tools/write-errors-doc.ts';
  for (const [index, line] of actualLines.entries()) {
    if (!expectedLines.includes(line))
      yield { path: ERRORS_PAGE, line: index + 1, found: `not in the ledger: ${line}`, why };
  }
  for (const line of expectedLines) {
    if (!actualLines.includes(line)) yield { path: ERRORS_PAGE, line: null, found: `missing: ${line}`, why };
  }
}
