import type { Crl, CrlPolicy, CrlPolicyChange, WhenCrlExpired } from '@sallyport/protocol';
import { MOST_STALE_HOURS } from '@sallyport/protocol';
import { Argument, Command } from 'commander';
import type { Answer } from '../api.ts';
import { readCrls } from '../crl-files.ts';
import { usageError } from '../errors.ts';
import { example } from '../help.ts';
import { integerOption, oneOf } from '../options.ts';
import { formatTime, orDash } from '../output/format.ts';
import { fields } from '../output/table.ts';
import { type Session, type Tools, withApi } from '../session.ts';
import { warnOfChange } from './endpoint-show.ts';

const CRL = '/ng/api/agent/mtls/crl';
const POLICY = '/ng/api/agent/mtls/crl-policy';
const RULES = { refuse: 'REFUSE', 'use-stale': 'USE_STALE' } as const satisfies Record<string, WhenCrlExpired>;

export function crlCommand(tools: Tools): Command {
  const crl = new Command('crl').description("the CAs' revocation lists: whom they list is cut off and refused");

  example(crl.command('show'), 'sallyport endpoint crl show')
    .description('show the list of each CA: number, dates, entries, how much of its life has passed')
    .action((_options: object, command: Command) =>
      withApi(tools, command, async (session) => {
        const query = { accountIdentifier: session.account() };
        show(session, await session.api.call<Crl[]>('GET', CRL, { query }));
      }),
    );

  example(crl.command('upload'), 'sallyport endpoint crl upload ca.crl')
    .description('upload CRLs; each takes the place of the last one of its CA (exit code 6 when that is newer)')
    .argument('<file>', 'PEM, one or several, or DER; - for standard input (PEM)')
    .option('--force', 'although it is older than the one in use, or has expired')
    .action((file: string, { force }: { force?: boolean }, command: Command) =>
      withApi(tools, command, async (session) => {
        const body = { crl: await readCrls(tools.terminal, file) };
        const query = { accountIdentifier: session.account(), ...(force === true && { force: 'true' }) };
        show(session, await session.api.call<Crl[]>('PUT', CRL, { query, body }));
      }),
    );

  example(crl.command('remove'), 'sallyport endpoint crl remove ISSUER')
    .description('forget the list of a CA: its certificates are no longer checked for revocation')
    .argument('<issuer>', 'issuer key or CA fingerprint, as "crl show --json" has them')
    .action((issuer: string, _options: object, command: Command) =>
      withApi(tools, command, async ({ api, output, account }) => {
        const query = { accountIdentifier: account() };
        const { resource } = await api.call<boolean>('DELETE', `${CRL}/${encodeURIComponent(issuer)}`, { query });
        output.result(resource, () => `The CRL of "${issuer}" is removed.\n`);
      }),
    );

  example(crl.command('policy'), 'sallyport endpoint crl policy use-stale --hours 24')
    .description('show or set what becomes of clients when the CRL of their CA has expired')
    .addArgument(
      new Argument('[rule]', 'refuse them, or use the expired list for some hours more (shown when not given)')
        .choices(Object.keys(RULES))
        .argParser(oneOf(RULES)),
    )
    .addOption(integerOption('--hours <number>', 'with use-stale: for so many hours', 1, MOST_STALE_HOURS))
    .action((whenExpired: WhenCrlExpired | undefined, { hours }: { hours?: number }, command: Command) =>
      withApi(tools, command, async (session) => {
        const { resource } = await policy(session, whenExpired, hours);
        session.output.result(resource, () => `${wordPolicy(resource)}\n`);
      }),
    );

  return crl;
}

function policy(
  { api, account }: Session,
  whenExpired: WhenCrlExpired | undefined,
  hours: number | undefined,
): Promise<Answer<CrlPolicy>> {
  const query = { accountIdentifier: account() };
  if (whenExpired === undefined && hours === undefined) return api.call<CrlPolicy>('GET', POLICY, { query });
  if (whenExpired === 'REFUSE' && hours !== undefined) {
    throw usageError('--hours means nothing with "refuse".', 'Leave it out, or give "use-stale".');
  }
  const body: CrlPolicyChange = {
    ...(whenExpired !== undefined && { whenExpired }),
    ...(hours !== undefined && { staleHours: hours }),
  };
  return api.call<CrlPolicy>('PATCH', POLICY, { query, body });
}

function wordPolicy({ whenExpired, staleHours }: CrlPolicy): string {
  return whenExpired === 'REFUSE'
    ? 'Clients are refused from the moment on at which the CRL of their CA expires.'
    : `An expired CRL is used for ${staleHours} hours more; then the clients of its CA are refused.`;
}

function show(session: Session, { resource, metaData }: Answer<Crl[]>): void {
  session.output.result(resource, () =>
    resource.length === 0 ? 'There are no CRLs.\n' : resource.map(describe).join('\n'),
  );
  warnOfChange(session, metaData);
}

const describe = (crl: Crl): string =>
  fields([
    ['Issuer', crl.issuer],
    ['State', crl.state],
    ['Number', orDash(crl.number)],
    ['Entries', String(crl.entries)],
    ['This update', formatTime(crl.thisUpdate)],
    ['Next update', `${formatTime(crl.nextUpdate)} (${crl.lifePassed} % of its life have passed)`],
    ['Used until', formatTime(crl.usedUntil)],
    ['Issuer key', crl.issuerKey],
  ]);
