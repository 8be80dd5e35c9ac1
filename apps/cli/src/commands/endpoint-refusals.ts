import type { Refusal } from '@sallyport/protocol';
import { Command } from 'commander';
import { example } from '../help.ts';
import { integerOption } from '../options.ts';
import { formatTime, orDash } from '../output/format.ts';
import { printable } from '../output/printable.ts';
import { type Tools, withApi } from '../session.ts';

const REFUSALS = '/ng/api/agent/mtls/refusals';

export function refusalsCommand(tools: Tools): Command {
  return example(new Command('refusals'), 'sallyport endpoint refusals --limit 20')
    .description('who was refused, why, and what to do about it; newest first')
    .addOption(integerOption('--limit <number>', 'at most so many (100 when not given)', 1, 500))
    .action(({ limit }: { limit?: number }, command: Command) =>
      withApi(tools, command, async ({ api, output, account }) => {
        const query = { accountIdentifier: account(), limit };
        const refusals = await api.list<Refusal>('GET', REFUSALS, { query });
        output.result(refusals, () =>
          refusals.length === 0 ? 'No connection was refused.\n' : output.table(COLUMNS, refusals) + remedies(refusals),
        );
      }),
    );
}

const COLUMNS = [
  { title: 'LAST SEEN', value: (row: Refusal) => formatTime(row.lastSeen) },
  { title: 'COUNT', value: (row: Refusal) => String(row.count) },
  { title: 'REASON', value: (row: Refusal) => row.reason },
  { title: 'FROM', value: (row: Refusal) => row.remoteAddress },
  { title: 'HOST', value: (row: Refusal) => orDash(row.serverName) },
  { title: 'CERTIFICATE', value: (row: Refusal) => orDash(row.certificate?.subject) },
  { title: 'EXPLANATION', value: (row: Refusal) => row.message },
];

/** One line for each different thing to do, in the order of its newest refusal. */
function remedies(refusals: readonly Refusal[]): string {
  const lines = new Set(refusals.map((refusal) => printable(`${refusal.reason}: ${refusal.remedy}`)));
  return `\nWhat to do:\n${[...lines].map((line) => `  ${line}\n`).join('')}`;
}
