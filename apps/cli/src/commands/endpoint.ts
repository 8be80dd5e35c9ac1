import type { AgentMtlsEndpointDetails, AgentMtlsEndpointRequest, EndpointMode } from '@sallyport/protocol';
import { Argument, Command, Option } from 'commander';
import { readCaCertificates } from '../ca-certificates.ts';
import { confirmed, withYes } from '../confirmation.ts';
import { usageError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { example } from '../help.ts';
import { oneOf, required } from '../options.ts';
import { type Session, type Tools, withApi } from '../session.ts';
import { allowedCommand } from './endpoint-allowed.ts';
import { authoritiesCommand } from './endpoint-authorities.ts';
import { certificatesCommand } from './endpoint-certificates.ts';
import { crlCommand } from './endpoint-crl.ts';
import { deniedCommand } from './endpoint-denied.ts';
import { readinessCommand } from './endpoint-readiness.ts';
import { refusalsCommand } from './endpoint-refusals.ts';
import { type SafetyOptions, safetyQuery, withSafety } from './endpoint-safety.ts';
import { showEndpoint as show } from './endpoint-show.ts';
import { webhookCommand } from './endpoint-webhook.ts';

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

  withSafety(example(endpoint.command('mode'), 'sallyport endpoint mode strict --only-if-ready --revert-after 10m'))
    .description('strict: plain delegates are cut off and refused; loose: they are accepted beside those on mTLS')
    .addArgument(new Argument('<mode>', 'the new mode').choices(Object.keys(MODES)).argParser(oneOf(MODES)))
    .action((value: EndpointMode, safety: SafetyOptions, command: Command) =>
      withApi(tools, command, async (session) => show(session, await write(session, 'PATCH', { mode: value }, safety))),
    );

  example(endpoint.command('confirm'), 'sallyport endpoint confirm')
    .description('keep a change that was made with --revert-after (exit code 6 when none is waiting)')
    .action((_options: object, command: Command) =>
      withApi(tools, command, async (session) => {
        const query = { accountIdentifier: session.account() };
        show(session, await session.api.call<AgentMtlsEndpointDetails>('POST', `${ENDPOINT}/confirm`, { query }));
      }),
    );

  const update = example(endpoint.command('update'), 'sallyport endpoint update --ca-certificates old-and-new-ca.crt');
  withSafety(withChanges(update, { create: false }))
    .description('change what is given and leave the rest; connections that no longer hold are cut')
    .action((options: ChangeOptions & SafetyOptions, command: Command) =>
      withApi(tools, command, async (session) => {
        const request = await changes(tools, options);
        if (Object.keys(request).length === 0) {
          throw usageError('Nothing to change was given.', 'Give --prefix, --ca-certificates or --mode.');
        }
        show(session, await write(session, 'PATCH', request, options));
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

  endpoint.addCommand(readinessCommand(tools));
  endpoint.addCommand(authoritiesCommand(tools));
  endpoint.addCommand(crlCommand(tools));
  endpoint.addCommand(deniedCommand(tools));
  endpoint.addCommand(allowedCommand(tools));
  endpoint.addCommand(refusalsCommand(tools));
  endpoint.addCommand(certificatesCommand(tools));
  endpoint.addCommand(webhookCommand(tools));
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

const write = (
  session: Session,
  method: 'POST' | 'PATCH',
  body: AgentMtlsEndpointRequest,
  safety: SafetyOptions = {},
) =>
  session.api.call<AgentMtlsEndpointDetails>(method, ENDPOINT, {
    query: { accountIdentifier: session.account(), ...safetyQuery(safety) },
    body,
  });
