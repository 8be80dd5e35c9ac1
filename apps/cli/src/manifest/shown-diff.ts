import { basename } from 'node:path';
import { unifiedDiff } from '@sallyport/manifest';
import { printable } from '../output/printable.ts';
import type { Tools } from '../session.ts';
import { hideSecrets } from './hidden-secrets.ts';

/** The diff of a file for output, without private keys, tokens and passwords. */
export const diffOf = (path: string, before: string, after: string): string =>
  hideSecrets(unifiedDiff(before, after, basename(path)));

/** On a terminal control characters of the file are shown as escapes; a pipe gets the diff as it is, for `patch`. */
export function forTerminal({ terminal }: Pick<Tools, 'terminal'>, diff: string): string {
  if (terminal.stdout.isTTY !== true) return diff;
  return diff
    .split('\t')
    .map((part) => printable(part, { keepLines: true }))
    .join('\t');
}
