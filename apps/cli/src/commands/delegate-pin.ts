import type { DelegatePin } from '@sallyport/protocol';
import { Command } from 'commander';
import { example } from '../help.ts';
import { repeated } from '../options.ts';
import { formatTime } from '../output/format.ts';
import { type Tools, withApi } from '../session.ts';

const MTLS = '/ng/api/agent/mtls';
const pathOf = (delegate: string) => `${MTLS}/delegates/${encodeURIComponent(delegate)}/pinned-certificate`;

/** pin, unpin, pins */
export function pinCommands(tools: Tools): Command[] {
  const pin = example(new Command('pin'), 'sallyport delegate pin edge-1')
    .description('accept a delegate with its present client certificate only, and no longer plain')
    .argument('<delegate>', 'its name, as "delegate list" shows it')
    .option(
      '--fingerprint <sha256>',
      'with this certificate instead; repeat for up to 4, while one is replaced',
      repeated,
    )
    .action((delegate: string, { fingerprint: fingerprints }: { fingerprint?: string[] }, command: Command) =>
      withApi(tools, command, async ({ api, output, account }) => {
        const query = { accountIdentifier: account() };
        const body = fingerprints === undefined ? {} : { fingerprints };
        const { resource } = await api.call<DelegatePin>('PUT', pathOf(delegate), { query, body });
        output.result(resource, () => output.table(COLUMNS, [resource]));
      }),
    );
  const unpin = example(new Command('unpin'), 'sallyport delegate unpin edge-1')
    .description('accept a delegate with any client certificate again')
    .argument('<delegate>', 'its name')
    .action((delegate: string, _options: object, command: Command) =>
      withApi(tools, command, async ({ api, output, account }) => {
        const { resource } = await api.call<boolean>('DELETE', pathOf(delegate), {
          query: { accountIdentifier: account() },
        });
        output.result(resource, () => `Delegate "${delegate}" is no longer pinned.\n`);
      }),
    );
  const pins = example(new Command('pins'), 'sallyport delegate pins')
    .description('list the delegates that are pinned to their client certificates')
    .action((_options: object, command: Command) =>
      withApi(tools, command, async ({ api, output, account }) => {
        const query = { accountIdentifier: account() };
        const rows = await api.list<DelegatePin>('GET', `${MTLS}/pinned-certificates`, { query });
        output.list(rows, COLUMNS, 'No delegate is pinned.');
      }),
    );
  return [pin, unpin, pins];
}

const COLUMNS = [
  { title: 'DELEGATE', value: (row: DelegatePin) => row.delegateName },
  { title: 'SINCE', value: (row: DelegatePin) => formatTime(row.createdAt) },
  { title: 'FINGERPRINTS', value: (row: DelegatePin) => row.fingerprints.join(', ') },
];
