import type { ApiKey, ApiKeyRole, CreateApiKeyRequest } from '@sallyport/protocol';
import { Command, Option } from 'commander';
import { usageError } from '../errors.ts';
import { example } from '../help.ts';
import { momentOption, oneOf, required } from '../options.ts';
import { formatTime, orDash } from '../output/format.ts';
import { fields } from '../output/table.ts';
import { type Session, type Tools, withApi } from '../session.ts';

const KEYS = '/ng/api/api-keys';
const ROLES = { operator: 'OPERATOR', admin: 'ACCOUNT_ADMIN', viewer: 'ACCOUNT_VIEWER' } as const satisfies Record<
  string,
  ApiKeyRole
>;

export function keyCommand(tools: Tools): Command {
  const key = new Command('key').description('API keys of operators and accounts');

  example(key.command('create'), 'sallyport key create ci --role admin --account acme --expires 90d')
    .description('create an API key; it is shown once')
    .argument('<name>', 'what the key is for')
    .addOption(
      required(
        new Option('--role <role>', 'what the key may do')
          .choices(Object.keys(ROLES))
          .argParser(oneOf<ApiKeyRole>(ROLES)),
      ),
    )
    .addOption(momentOption('--expires <when>', 'when it stops working (never, when not given)', tools))
    .action((name: string, options: { role: ApiKeyRole; expires?: number }, command: Command) =>
      withApi(tools, command, async (session) => {
        const body: CreateApiKeyRequest = {
          name,
          role: options.role,
          ...(options.expires === undefined ? {} : { expiresAt: options.expires }),
        };
        const query = scope(session, options.role === 'OPERATOR');
        const { resource } = await session.api.call<ApiKey>('POST', KEYS, { query, body });
        session.output.result(resource, () => describe(resource));
        session.output.note('The key is shown this once: the control plane keeps only a hash of it.');
      }),
    );

  example(key.command('list'), 'sallyport key list --account acme')
    .description('list the keys of an account, or of the operators')
    .addOption(operatorOption())
    .action(({ operator }: { operator?: boolean }, command: Command) =>
      withApi(tools, command, async (session) => {
        const rows = await session.api.list<ApiKey>('GET', KEYS, { query: scope(session, operator) });
        session.output.list(
          rows,
          [
            { title: 'KEY', value: (row) => row.uuid },
            { title: 'NAME', value: (row) => row.name },
            { title: 'ROLE', value: (row) => row.role },
            { title: 'STATUS', value: (row) => row.status },
            { title: 'CREATED', value: (row) => formatTime(row.createdAt) },
            { title: 'EXPIRES', value: (row) => formatTime(row.expiresAt) },
          ],
          'There are no keys.',
        );
      }),
    );

  example(key.command('revoke'), 'sallyport key revoke 0b4e5c1e-8f1d-4d47-9d0c-2f6a1c3f9b10 --account acme')
    .description('revoke a key: it stops working at once')
    .argument('<key>', 'uuid of the key, as "key list" shows it')
    .addOption(operatorOption())
    .action((uuid: string, { operator }: { operator?: boolean }, command: Command) =>
      withApi(tools, command, async (session) => {
        // Whoever pastes the key itself instead of its uuid would put the secret into URLs and logs.
        if (uuid.includes('.')) {
          throw usageError('That is a key, not the uuid of one.', 'Take the uuid from "sallyport key list".');
        }
        const path = `${KEYS}/${encodeURIComponent(uuid)}`;
        const { resource } = await session.api.call<unknown>('DELETE', path, { query: scope(session, operator) });
        session.output.result(resource, () => `Key "${uuid}" is revoked.\n`);
      }),
    );
  return key;
}

const operatorOption = () => new Option('--operator', "the operators' keys instead of an account's");

const scope = (session: Session, operator: boolean | undefined) =>
  operator === true ? {} : { accountIdentifier: session.account() };

const describe = (key: ApiKey): string =>
  fields([
    ['Key', orDash(key.key)],
    ['UUID', key.uuid],
    ['Name', key.name],
    ['Role', key.role],
    ['Account', orDash(key.accountIdentifier)],
    ['Expires', formatTime(key.expiresAt)],
  ]);
