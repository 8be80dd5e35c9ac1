// Objects as text, in the many ways in which people and tools write them, and with the accidents of copying and saving.
import { Document, stringify } from 'yaml';
import type { PlainMap } from './plain-objects.ts';
import type { Random } from './random.ts';

/** Makes a change with some probability, and notes it down. */
export type Did = (what: string, probability: number, change: () => void) => void;

/** Writes the objects the way somebody or some tool would. */
export function write(random: Random, did: Did, objects: readonly PlainMap[]): string {
  const options = {
    indent: random.pick([2, 2, 4]),
    indentSeq: random.chance(0.5),
    singleQuote: random.chance(0.3),
    lineWidth: 0,
  };
  const doubled = (text: string) => text.replaceAll('volumes§', 'volumes');
  if (random.chance(0.04))
    return doubled(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }, undefined, random.pick([2, 0])));
  let text = '';
  if (random.chance(0.06)) text = stringify({ apiVersion: 'v1', kind: 'List', items: objects }, options);
  else {
    const separator = random.pick(['---\n', '\n---\n\n', '---\n# next\n', '--- # object\n']);
    text =
      (random.chance(0.3) ? '---\n' : '') +
      objects.map((object) => new Document(object).toString(options)).join(separator);
  }
  text = doubled(text);
  did('comments', 0.5, () => {
    text = commented(random, text);
  });
  did('Windows line ends', 0.15, () => {
    text = text.replaceAll('\n', '\r\n');
  });
  did('no final line end', 0.1, () => {
    text = text.trimEnd();
  });
  return text;
}

/** Comments of their own line and behind values, outside block scalars. */
function commented(random: Random, text: string): string {
  let block = -1;
  let count = 0;
  return text
    .split('\n')
    .flatMap((line) => {
      const indent = line.length - line.trimStart().length;
      if (block >= 0 && (line.trim() === '' || indent > block)) return [line];
      block = /[|>][-+]?$/.test(line) ? indent : -1;
      if (line.startsWith('---') || line.trim() === '') return [line];
      const above = random.chance(0.1) ? [`${' '.repeat(indent)}# note ${++count}`] : [];
      const behind = block === -1 && random.chance(0.1) ? ` # note ${++count}` : '';
      return [...above, line + behind];
    })
    .join('\n');
}

/** One accident of copying, merging or saving. */
export function damage(random: Random, text: string, how: string[]): string {
  const lines = text.split('\n');
  const index = random.below(lines.length);
  const line = lines[index] ?? '';
  const accidents: [string, () => string][] = [
    ['a line lost', () => lines.toSpliced(index, 1).join('\n')],
    ['a line doubled', () => lines.toSpliced(index, 0, line).join('\n')],
    ['a line indented', () => lines.with(index, `  ${line}`).join('\n')],
    ['a line outdented', () => lines.with(index, line.replace(/^ {2}/, '')).join('\n')],
    ['a tab', () => lines.with(index, line.replace(/^ {2}/, '\t')).join('\n')],
    ['cut short', () => text.slice(0, random.below(text.length))],
    ['indentation lost', () => lines.map((each) => each.trimStart()).join('\n')],
    ['a marker glued', () => text.replace('\n---', '---')],
    [
      'two lines swapped',
      () =>
        lines
          .with(index, lines[index + 1] ?? '')
          .with(Math.min(index + 1, lines.length - 1), line)
          .join('\n'),
    ],
    ['latest image', () => text.replaceAll(/delegate:[\d.]+/g, 'delegate:latest')],
  ];
  const [what, make] = accidents[random.below(accidents.length)] ?? ['nothing', () => text];
  how.push(`${what} at ${index + 1}`);
  return make();
}
