import type { ClientCertificate } from '@sallyport/protocol';
import { Command } from 'commander';
import { example } from '../help.ts';
import { integerOption } from '../options.ts';
import { formatTime, orDash } from '../output/format.ts';
import { type Tools, withApi } from '../session.ts';

const CERTIFICATES = '/ng/api/agent/mtls/certificates';
const MOST_NAMES = 3;

export function certificatesCommand(tools: Tools): Command {
  return example(new Command('certificates'), 'sallyport endpoint certificates --within 30')
    .description('the client certificates that delegates came with, by days left')
    .addOption(integerOption('--within <days>', 'only those that end within so many days', 0, 36_500))
    .addOption(integerOption('--limit <number>', 'at most so many (1000 when not given)', 1, 5_000))
    .action(({ within, limit }: { within?: number; limit?: number }, command: Command) =>
      withApi(tools, command, async ({ api, output, account }) => {
        const query = { accountIdentifier: account(), withinDays: within, limit };
        const { resource, metaData } = await api.call<ClientCertificate[]>('GET', CERTIFICATES, { query });
        output.list(resource, COLUMNS, 'No delegate has come with such a certificate.');
        const { total } = metaData;
        if (typeof total === 'number' && total > resource.length) {
          output.warn('MORE', `${total - resource.length} more are not shown: give a larger --limit.`);
        }
      }),
    );
}

const COLUMNS = [
  { title: 'DAYS LEFT', value: daysLeft },
  { title: 'ENDS', value: (row: ClientCertificate) => formatTime(row.notAfter) },
  { title: 'SUBJECT', value: (row: ClientCertificate) => orDash(row.subject) },
  { title: 'DELEGATES', value: ({ delegates }: ClientCertificate) => namesOf(delegates) },
  { title: 'LAST SEEN', value: lastSeen },
  { title: 'CA', value: (row: ClientCertificate) => orDash(row.authority?.subject ?? row.authority?.fingerprint) },
  { title: 'SERIAL', value: (row: ClientCertificate) => row.serialNumber },
  { title: 'FINGERPRINT', value: (row: ClientCertificate) => row.fingerprint },
];

function daysLeft({ daysLeft: days, notAfter }: ClientCertificate): string {
  return notAfter <= Date.now() ? 'expired' : String(days);
}

function namesOf(delegates: ClientCertificate['delegates']): string {
  const names = delegates.map(({ name }) => name);
  const more = names.length - MOST_NAMES;
  return names.length === 0 ? '-' : `${names.slice(0, MOST_NAMES).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function lastSeen({ delegates, lastSeen: at }: ClientCertificate): string {
  return delegates.some(({ connected }) => connected) ? 'connected' : formatTime(at);
}
