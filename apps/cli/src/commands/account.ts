import type { Account, CreateAccountRequest, UpdateAccountRequest } from '@sallyport/protocol';
import { Command } from 'commander';
import { confirmed, withYes } from '../confirmation.ts';
import { example } from '../help.ts';
import { formatTime } from '../output/format.ts';
import { fields } from '../output/table.ts';
import { type Tools, withApi } from '../session.ts';

const ACCOUNTS = '/ng/api/accounts';
const pathOf = (identifier: string) => `${ACCOUNTS}/${encodeURIComponent(identifier)}`;

export function accountCommand(tools: Tools): Command {
  const account = new Command('account').description('accounts: one per customer (operator keys only)');

  example(account.command('create'), 'sallyport account create acme --name "Acme Inc."')
    .description('create an account')
    .argument('<account>', 'identifier: letters, digits, dash and underscore, up to 64')
    .option('--name <text>', 'display name (the identifier when not given)')
    .action((identifier: string, { name }: { name?: string }, command: Command) =>
      withApi(tools, command, async ({ api, output }) => {
        const body: CreateAccountRequest = { identifier, ...(name === undefined ? {} : { name }) };
        const { resource } = await api.call<Account>('POST', ACCOUNTS, { body });
        output.result(resource, () => describe(resource));
      }),
    );

  example(account.command('list'), 'sallyport account list')
    .description('list all accounts')
    .action((_options: object, command: Command) =>
      withApi(tools, command, async ({ api, output }) => {
        const rows = await api.list<Account>('GET', ACCOUNTS);
        output.list(
          rows,
          [
            { title: 'ACCOUNT', value: (row) => row.identifier },
            { title: 'NAME', value: (row) => row.name },
            { title: 'STATUS', value: (row) => row.status },
            { title: 'MTLS', value: (row) => (row.mtlsEnabled ? 'enabled' : 'disabled') },
            { title: 'CREATED', value: (row) => formatTime(row.createdAt) },
          ],
          'There are no accounts.',
        );
      }),
    );

  example(account.command('show'), 'sallyport account show acme')
    .description('show one account')
    .argument('[account]', 'identifier (the account of --account or of the profile when not given)')
    .action((identifier: string | undefined, _options: object, command: Command) =>
      withApi(tools, command, async (session) => {
        const { resource } = await session.api.call<Account>('GET', pathOf(identifier ?? session.account()));
        session.output.result(resource, () => describe(resource));
      }),
    );

  withYes(example(account.command('delete'), 'sallyport account delete acme --yes'))
    .description('delete an account with everything in it; its delegates are cut off')
    .argument('<account>', 'identifier')
    .action((identifier: string, { yes }: { yes?: boolean }, command: Command) =>
      withApi(tools, command, async ({ api, output }) => {
        await confirmed(tools.terminal, `Delete account "${identifier}", its endpoint, tokens, keys and tasks?`, yes);
        const { resource } = await api.call<unknown>('DELETE', pathOf(identifier));
        output.result(resource, () => `Account "${identifier}" is deleted.\n`);
      }),
    );

  for (const enabled of [true, false]) {
    const verb = enabled ? 'enable-mtls' : 'disable-mtls';
    example(account.command(verb), `sallyport account ${verb} acme`)
      .description(enabled ? 'let the account have an mTLS endpoint' : 'take that permission away again')
      .argument('<account>', 'identifier')
      .action((identifier: string, _options: object, command: Command) =>
        withApi(tools, command, async ({ api, output }) => {
          const body: UpdateAccountRequest = { mtlsEnabled: enabled };
          const { resource } = await api.call<Account>('PATCH', pathOf(identifier), { body });
          output.result(resource, () => describe(resource));
        }),
      );
  }
  return account;
}

const describe = (account: Account): string =>
  fields([
    ['Account', account.identifier],
    ['Name', account.name],
    ['Status', account.status],
    ['mTLS', account.mtlsEnabled ? 'enabled' : 'disabled'],
    ['Created', formatTime(account.createdAt)],
  ]);
