import type { Finding } from '@sallyport/manifest';
import type { Output } from '../output/output.ts';
import { printable } from '../output/printable.ts';

/** A table of line, severity and code; below each row, never cut, what is wrong and what to do. */
export function findingsText(output: Output, found: readonly Finding[]): string {
  if (found.length === 0) return 'No findings.\n';
  const table = output.table<Finding>(
    [
      { title: 'LINE', value: ({ line, column }) => `${line}:${column}` },
      { title: 'SEVERITY', value: ({ severity }) => severity },
      { title: 'CODE', value: ({ code }) => code },
      { title: '--FIX', value: ({ fixable }) => (fixable ? 'mends it' : '-') },
    ],
    found,
  );
  const [header = '', ...rows] = table.trimEnd().split('\n');
  const lines = found.flatMap(({ message, remedy }, index) => [
    rows[index] ?? '',
    `  ${printable(message)}`,
    `  ${printable(remedy)}`,
  ]);
  return `${[header, ...lines].join('\n')}\n`;
}
