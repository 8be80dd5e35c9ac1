import type { AuthorityDetails } from '@sallyport/protocol';
import { Command } from 'commander';
import { readCaCertificates } from '../ca-certificates.ts';
import { example } from '../help.ts';
import { integerOption } from '../options.ts';
import { formatTime } from '../output/format.ts';
import { type Session, type Tools, withApi } from '../session.ts';
import { warnOfChange } from './endpoint-show.ts';

const AUTHORITIES = '/ng/api/agent/mtls/authorities';

const withinOption = () =>
  integerOption('--within <days>', 'delegates gone for longer are not expected back (30 when not given)', 1, 90);

export function authoritiesCommand(tools: Tools): Command {
  const authorities = new Command('authorities').description('the CAs of the bundle one by one, to rotate them');

  example(authorities.command('list'), 'sallyport endpoint authorities list')
    .description('each CA: who uses it, and since when it is safe to remove')
    .addOption(withinOption())
    .action(({ within }: { within?: number }, command: Command) =>
      withApi(tools, command, async (session) => {
        const query = { accountIdentifier: session.account(), withinDays: within };
        show(session, await session.api.list<AuthorityDetails>('GET', AUTHORITIES, { query }));
      }),
    );

  example(authorities.command('add'), 'sallyport endpoint authorities add new-ca.crt')
    .description('add CA certificates to the bundle; no connection is touched')
    .argument('<file>', 'PEM file; - for standard input')
    .action((file: string, _options: object, command: Command) =>
      withApi(tools, command, async (session) => {
        const body = { caCertificates: await readCaCertificates(tools.terminal, file) };
        const query = { accountIdentifier: session.account() };
        const { resource, metaData } = await session.api.call<AuthorityDetails[]>('POST', AUTHORITIES, { query, body });
        show(session, resource);
        warnOfChange(session, metaData);
      }),
    );

  example(authorities.command('remove'), 'sallyport endpoint authorities remove FINGERPRINT')
    .description('remove a CA from the bundle (exit code 6 while a delegate needs it)')
    .argument('<fingerprint>', 'SHA-256 of the CA certificate, as "authorities list" shows it')
    .option('--force', 'although delegates need it: they are cut off and refused (the last CA in date always stays)')
    .addOption(withinOption())
    .action((fingerprint: string, { force, within }: { force?: boolean; within?: number }, command: Command) =>
      withApi(tools, command, async (session) => {
        const query = {
          accountIdentifier: session.account(),
          withinDays: within,
          ...(force === true && { force: 'true' }),
        };
        const path = `${AUTHORITIES}/${encodeURIComponent(fingerprint)}`;
        const { resource, metaData } = await session.api.call<AuthorityDetails[]>('DELETE', path, { query });
        show(session, resource);
        warnOfChange(session, metaData);
      }),
    );

  return authorities;
}

function show({ output }: Session, authorities: readonly AuthorityDetails[]): void {
  output.list(authorities, COLUMNS, 'The bundle cannot be read: upload it again.');
}

const COLUMNS = [
  { title: 'SUBJECT', value: (row: AuthorityDetails) => row.subject },
  { title: 'UNTIL', value: (row: AuthorityDetails) => formatTime(row.notAfter) },
  { title: 'IN USE BY', value: (row: AuthorityDetails) => String(row.usedBy.filter((user) => user.connected).length) },
  { title: 'USED BY', value: (row: AuthorityDetails) => String(row.usedBy.length) },
  { title: 'REMOVE', value: (row: AuthorityDetails) => row.advice },
  { title: 'FINGERPRINT', value: (row: AuthorityDetails) => row.fingerprint },
];
