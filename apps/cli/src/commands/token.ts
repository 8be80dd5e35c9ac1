import type { DelegateTokenDetails, TokenStatus } from '@sallyport/protocol';
import { Command, Option } from 'commander';
import { example } from '../help.ts';
import { momentOption, oneOf } from '../options.ts';
import { formatTime, orDash } from '../output/format.ts';
import { fields } from '../output/table.ts';
import { type Tools, withApi } from '../session.ts';

export const TOKENS = '/ng/api/delegate-token-ng';
const STATUSES = { active: 'ACTIVE', revoked: 'REVOKED' } as const satisfies Record<string, TokenStatus>;

export function tokenCommand(tools: Tools): Command {
  const token = new Command('token').description('delegate tokens: what a delegate proves its account with');

  example(token.command('create'), 'sallyport token create production')
    .description('create a token and show its value, the DELEGATE_TOKEN of a delegate')
    .argument('<name>', 'name, unique in the account')
    .addOption(momentOption('--revoke-after <when>', 'revoke it by itself later', tools))
    .action((tokenName: string, { revokeAfter }: { revokeAfter?: number }, command: Command) =>
      withApi(tools, command, async ({ api, output, account }) => {
        const query = { accountIdentifier: account(), tokenName, revokeAfter };
        const { resource } = await api.call<DelegateTokenDetails>('POST', TOKENS, { query });
        output.result(resource, () => describe(resource));
      }),
    );

  example(token.command('list'), 'sallyport token list --status active')
    .description('list the tokens; their values only with --json, for keys that may see them')
    .addOption(
      new Option('--status <status>', 'only these')
        .choices(Object.keys(STATUSES))
        .argParser(oneOf<TokenStatus>(STATUSES)),
    )
    .action(({ status }: { status?: TokenStatus }, command: Command) =>
      withApi(tools, command, async ({ api, output, account }) => {
        const query = { accountIdentifier: account(), status };
        const rows = await api.list<DelegateTokenDetails>('GET', TOKENS, { query });
        output.list(
          rows,
          [
            { title: 'NAME', value: (row) => row.name },
            { title: 'STATUS', value: (row) => row.status },
            { title: 'CREATED', value: (row) => formatTime(row.createdAt) },
            { title: 'REVOKED AFTER', value: (row) => formatTime(row.revokeAfter) },
            { title: 'CREATED BY', value: (row) => orDash(row.createdByNgUser?.name) },
          ],
          'There are no tokens.',
        );
      }),
    );

  example(token.command('revoke'), 'sallyport token revoke production')
    .description('revoke a token: delegates that use it are cut off')
    .argument('<name>', 'name of the token')
    .action((tokenName: string, _options: object, command: Command) =>
      withApi(tools, command, async ({ api, output, account }) => {
        const query = { accountIdentifier: account(), tokenName };
        const { resource } = await api.call<DelegateTokenDetails>('PUT', TOKENS, { query });
        output.result(resource, () => describe(resource));
      }),
    );

  example(token.command('delete'), 'sallyport token delete production')
    .description('delete a revoked token, so that its name is free again')
    .argument('<name>', 'name of the token')
    .action((tokenName: string, _options: object, command: Command) =>
      withApi(tools, command, async ({ api, output, account }) => {
        const query = { accountIdentifier: account(), tokenName };
        const { resource } = await api.call<unknown>('DELETE', TOKENS, { query });
        output.result(resource, () => `Token "${tokenName}" is deleted.\n`);
      }),
    );
  return token;
}

const describe = (token: DelegateTokenDetails): string =>
  fields([
    ['Name', token.name],
    ['Account', token.accountId],
    ['Status', token.status],
    ...(token.value === undefined ? [] : [['Value', token.value] as const]),
    ['Created', formatTime(token.createdAt)],
    ['Revoked after', formatTime(token.revokeAfter)],
  ]);
