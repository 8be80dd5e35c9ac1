import type { AgentMtlsEndpointDetails, AgentMtlsEndpointRequest, EndpointMode } from '@sallyport/protocol';
import { Argument, Command, Option } from 'commander';
import type { Answer } from '../api.ts';
import { describeCertificates, readCaCertificates } from '../ca-certificates.ts';
import { confirmed, withYes } from '../confirmation.ts';
import { usageError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { example } from '../help.ts';
import { oneOf, required } from '../options.ts';
import { fields } from '../output/table.ts';
import { type Session, type Tools, withApi } from '../session.ts';
import { refusalsCommand } from './endpoint-refusals.ts';

const ENDPOINT = '/ng/api/agent/mtls/endpoint';
const AVAILABILITY = '/ng/api/agent/mtls/check-availability';
const MODES = { loose: 'LOOSE', strict: 'STRICT' } as const satisfies Record<string, EndpointMode>;

interface ChangeOptions {
  readonly prefix?: string;
  readonly caCertificates?: string;
  readonly mode?: EndpointMode;
}

export function endpointCommand(tools: Tools): Command {
  const endpoint = new Command('endpoint').description("the account's mTLS endpoint: name, CA certificates, mode");

  withChanges(example(endpoint.command('create'), 'sallyport endpoint create --prefix acme --ca-certificates ca.crt'), {
    create: true,
  })
    .description('create the endpoint')
    .action((options: ChangeOptions, command: Command) =>
      withApi(tools, command, async (session) =>
        show(session, await write(session, 'POST', { mode: 'LOOSE', ...(await changes(tools, options)) })),
      ),
    );

  example(endpoint.command('show'), 'sallyport endpoint show')
    .description('show the endpoint, its CA certificates (their PEM text with --json) and what is weak about them')
    .action((_options: object, command: Command) =>
      withApi(tools, command, async (session) => {
        const query = { accountIdentifier: session.account() };
        show(session, await session.api.call<AgentMtlsEndpointDetails>('GET', ENDPOINT, { query }));
      }),
    );

  example(endpoint.command('mode'), 'sallyport endpoint mode strict')
    .description('strict: plain delegates are cut off and refused; loose: they are accepted beside those on mTLS')
    .addArgument(new Argument('<mode>', 'the new mode').choices(Object.keys(MODES)).argParser(oneOf(MODES)))
    .action((value: EndpointMode, _options: object, command: Command) =>
      withApi(tools, command, async (session) => show(session, await write(session, 'PATCH', { mode: value }))),
    );

  withChanges(example(endpoint.command('update'), 'sallyport endpoint update --ca-certificates old-and-new-ca.crt'), {
    create: false,
  })
    .description('change what is given and leave the rest; connections that no longer hold are cut')
    .action((options: ChangeOptions, command: Command) =>
      withApi(tools, command, async (session) => {
        const request = await changes(tools, options);
        if (Object.keys(request).length === 0) {
          throw usageError('Nothing to change was given.', 'Give --prefix, --ca-certificates or --mode.');
        }
        show(session, await write(session, 'PATCH', request));
      }),
    );

  withYes(example(endpoint.command('delete'), 'sallyport endpoint delete --yes'))
    .description('delete the endpoint; every delegate connected through it is cut off')
    .action(({ yes }: { yes?: boolean }, command: Command) =>
      withApi(tools, command, async ({ api, output, account }) => {
        const accountIdentifier = account();
        await confirmed(tools.terminal, `Delete the mTLS endpoint of account "${accountIdentifier}"?`, yes);
        const { resource } = await api.call<boolean>('DELETE', ENDPOINT, { query: { accountIdentifier } });
        output.result(resource, () =>
          resource
            ? `The mTLS endpoint of account "${accountIdentifier}" is deleted.\n`
            : `Account "${accountIdentifier}" had no mTLS endpoint.\n`,
        );
      }),
    );

  example(endpoint.command('check-prefix'), 'sallyport endpoint check-prefix acme')
    .description('tell whether a prefix is free (exit code 6 when it is taken)')
    .argument('<prefix>', 'one DNS label')
    .action((domainPrefix: string, _options: object, command: Command) =>
      withApi(tools, command, async ({ api, output, account }) => {
        const query = { accountIdentifier: account(), domainPrefix };
        const { resource } = await api.call<boolean>('GET', AVAILABILITY, { query });
        output.result(resource, () => `Prefix "${domainPrefix}" is ${resource ? 'free' : 'taken'}.\n`);
        if (!resource) tools.setExit(EXIT.conflict);
      }),
    );

  endpoint.addCommand(refusalsCommand(tools));
  return endpoint;
}

function withChanges(command: Command, { create }: { create: boolean }): Command {
  const need = create ? required : (option: Option) => option;
  return command
    .addOption(need(new Option('--prefix <label>', 'first label of the host name: lower case, digits, dashes')))
    .addOption(need(new Option('--ca-certificates <file>', 'PEM file with your CA certificates; - for standard input')))
    .addOption(
      new Option('--mode <mode>', create ? 'loose when not given' : 'the new mode')
        .choices(Object.keys(MODES))
        .argParser(oneOf(MODES)),
    );
}

async function changes(tools: Tools, options: ChangeOptions): Promise<AgentMtlsEndpointRequest> {
  const { prefix, caCertificates, mode } = options;
  return {
    ...(prefix === undefined ? {} : { domainPrefix: prefix }),
    ...(caCertificates === undefined
      ? {}
      : { caCertificates: await readCaCertificates(tools.terminal, caCertificates) }),
    ...(mode === undefined ? {} : { mode }),
  };
}

const write = (session: Session, method: 'POST' | 'PATCH', body: AgentMtlsEndpointRequest) =>
  session.api.call<AgentMtlsEndpointDetails>(method, ENDPOINT, {
    query: { accountIdentifier: session.account() },
    body,
  });

function show({ output }: Session, { resource, metaData }: Answer<AgentMtlsEndpointDetails>): void {
  output.result(resource, () =>
    fields([
      ['URL', typeof metaData['url'] === 'string' ? metaData['url'] : `https://${resource.fqdn}`],
      ['Host name', resource.fqdn],
      ['Mode', resource.mode],
      ['Account', resource.accountId],
      ['UUID', resource.uuid],
      ['CA certificates', describeCertificates(resource.caCertificates)],
    ]),
  );
  for (const warning of warningsOf(metaData)) {
    output.warn(
      warning.code,
      warning.subject === undefined ? warning.message : `${warning.subject}: ${warning.message}`,
    );
  }
}

interface Warning {
  readonly code: string;
  readonly message: string;
  readonly subject?: string;
}

function warningsOf(metaData: Answer<unknown>['metaData']): Warning[] {
  const { warnings } = metaData;
  if (!Array.isArray(warnings)) return [];
  return warnings.filter(
    (entry: unknown): entry is Warning =>
      typeof entry === 'object' && entry !== null && 'message' in entry && 'code' in entry,
  );
}
