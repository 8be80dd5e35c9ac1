import { posix } from 'node:path';
import { isMarkdown, lineAt, type SourceFile, type Violation } from './source-file.ts';

const LINK_WHY =
  'A link of the documents leads nowhere: whoever follows it in an emergency finds an error page. Mend the target.';
const PATH_WHY =
  'The documents name a file that does not exist: it was moved, renamed or never written. Name the one that does.';
const TITLE_WHY =
  'The documents say that this test holds a promise, and the test file has no test of that title: nobody would notice the ' +
  'promise being broken. Name the test that holds it, or write it.';

/** Finds links, paths in backquotes and test titles of the documents that lead nowhere. */
export function* markdownLinks(files: readonly SourceFile[]): Generator<Violation, void, undefined> {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const folders = new Set(files.flatMap(({ path }) => parentsOf(path)));
  const exists = (path: string) => byPath.has(path) || folders.has(path.replace(/\/$/, ''));
  for (const page of files.filter(isMarkdown)) {
    const prose = withoutFences(page.text);
    const problem = (index: number, found: string, why: string): Violation => ({
      path: page.path,
      line: lineAt(prose, index),
      found,
      why,
    });
    for (const match of prose.matchAll(/\]\(([^()\s]+)\)|^\[[^\]]+\]:\s+(\S+)/gm)) {
      const target = match[1] ?? match[2] ?? '';
      if (/^[a-z][a-z+.-]*:/i.test(target)) continue;
      const [relative = '', anchor] = target.split('#');
      const path = relative === '' ? page.path : posix.join(posix.dirname(page.path), relative);
      const linked = byPath.get(path);
      const leads =
        exists(path) && (anchor === undefined || (linked !== undefined && anchorsOf(linked.text).has(anchor)));
      if (!leads) yield problem(match.index, target, LINK_WHY);
    }
    for (const match of prose.matchAll(/`((?:packages|apps|tools|docs|tests|bench|gauntlet)\/[\w./-]+)`/g)) {
      if (!exists(match[1] ?? '')) yield problem(match.index, match[0], PATH_WHY);
    }
    for (const match of prose.matchAll(/`([\w./-]+\.test\.ts)`:?\s+"([^"]+)"/g)) {
      const [found, path = '', title = ''] = match;
      const test = byPath.get(path)?.text.replaceAll("\\'", "'");
      if (!test?.includes(title.replace(/\s+/g, ' '))) yield problem(match.index, found, TITLE_WHY);
    }
  }
}

/** The text with what is between fences blanked: same lines. */
const withoutFences = (text: string): string =>
  text.replace(/^(```|~~~)[^\n]*\n[\s\S]*?^\1/gm, (block) => block.replace(/[^\n]/g, ' '));

/** The anchors of a page's headings, as the hosting sites make them. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading = ''] of withoutFences(text).matchAll(/^#+\s+(.+)$/gm)) {
    const anchor = heading
      .trim()
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-');
    let unique = anchor;
    for (let count = 1; anchors.has(unique); count += 1) unique = `${anchor}-${count}`;
    anchors.add(unique);
  }
  return anchors;
}

function parentsOf(path: string): string[] {
  const parent = posix.dirname(path);
  return parent === '.' ? ['.'] : [parent, ...parentsOf(parent)];
}
