import type { AllowedIdentities, AllowedIdentity, IdentityType } from '@sallyport/protocol';
import { Command } from 'commander';
import { usageError } from '../errors.ts';
import { example } from '../help.ts';
import { type Session, type Tools, withApi } from '../session.ts';
import { warnOfChange } from './endpoint-show.ts';

const ALLOWED = '/ng/api/agent/mtls/allowed-identities';
const TYPES = {
  dns: 'DNS',
  uri: 'URI',
  email: 'EMAIL',
  ip: 'IP',
  subject: 'SUBJECT',
  'spki-sha256': 'SPKI_SHA256',
  'certificate-sha256': 'CERTIFICATE_SHA256',
} as const satisfies Record<string, IdentityType>;

export function allowedCommand(tools: Tools): Command {
  const allowed = new Command('allowed').description(
    'identities that clients may have; none: every certificate of the CAs',
  );

  example(allowed.command('list'), 'sallyport endpoint allowed list')
    .description('list the allowed identities')
    .action((_options: object, command: Command) =>
      withApi(tools, command, async (session) => {
        const query = { accountIdentifier: session.account() };
        show(session, (await session.api.call<AllowedIdentities>('GET', ALLOWED, { query })).resource);
      }),
    );

  example(allowed.command('set'), 'sallyport endpoint allowed set dns:edge-1 "subject:CN=edge-2, O=Example"')
    .description('replace the allowed identities; connections of others are cut')
    .argument('[identity...]', `TYPE:VALUE, with one of the types ${Object.keys(TYPES).join(', ')}`)
    .option('--everybody', 'allow every certificate of the CAs again')
    .action((identities: string[], { everybody }: { everybody?: boolean }, command: Command) =>
      withApi(tools, command, async (session) => {
        // Nothing by mistake, such as an empty variable of a script, must not open the door to everybody.
        if ((identities.length === 0) !== (everybody === true)) {
          throw usageError(
            everybody === true ? 'Both identities and --everybody were given.' : 'No identity is named.',
            'Give identities such as dns:edge-1, or --everybody alone.',
          );
        }
        const body = { identities: identities.map(readIdentity) };
        const query = { accountIdentifier: session.account() };
        const { resource, metaData } = await session.api.call<AllowedIdentities>('PUT', ALLOWED, { query, body });
        show(session, resource);
        warnOfChange(session, metaData);
      }),
    );

  return allowed;
}

function readIdentity(text: string): AllowedIdentity {
  const [name = ''] = text.split(':', 1);
  const type = Object.hasOwn(TYPES, name.toLowerCase()) ? TYPES[name.toLowerCase() as keyof typeof TYPES] : undefined;
  if (type === undefined || !text.includes(':')) {
    throw usageError(
      `"${text}" is no identity.`,
      `Give TYPE:VALUE, with one of the types ${Object.keys(TYPES).join(', ')}.`,
    );
  }
  return { type, value: text.slice(name.length + 1) };
}

function show({ output }: Session, allowed: AllowedIdentities): void {
  output.result(allowed, () =>
    allowed.identities.length === 0
      ? "Every certificate of the endpoint's CAs is allowed.\n"
      : output.table(COLUMNS, allowed.identities),
  );
}

const COLUMNS = [
  { title: 'TYPE', value: (row: AllowedIdentity) => row.type },
  { title: 'VALUE', value: (row: AllowedIdentity) => row.value },
];
