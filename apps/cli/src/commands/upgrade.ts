import {
  type AccountUpgrades,
  type RingStatus,
  UPGRADE_COMPONENTS,
  UPGRADE_RINGS,
  type UpgradeAttempt,
  type UpgradeComponent,
  type UpgradeRelease,
  type UpgradeRing,
} from '@sallyport/protocol';
import { Argument, Command, Option } from 'commander';
import { accountOfKey, type GlobalOptions } from '../connection.ts';
import { usageError } from '../errors.ts';
import { example } from '../help.ts';
import { integerOption, required } from '../options.ts';
import { formatTime, orDash } from '../output/format.ts';
import { printable } from '../output/printable.ts';
import type { Column } from '../output/table.ts';
import { type Session, type Tools, withApi } from '../session.ts';
import { warnOfChange } from './endpoint-show.ts';

const UPGRADES = '/ng/api/upgrades';
const OVERRIDE = '/ng/api/delegate-setup/override-delegate-tag';

interface PublishOptions {
  readonly ring: UpgradeRing;
  readonly component?: UpgradeComponent;
  readonly allowOlder?: boolean;
  readonly force?: boolean;
}

interface OverrideOptions {
  readonly days?: number;
  readonly untilNextRelease?: boolean;
  readonly allowOlder?: boolean;
  readonly remove?: boolean;
}

interface HaltOptions {
  readonly component?: UpgradeComponent;
  readonly reason?: string;
}

const ringArgument = () => new Argument('<ring>', 'the ring').choices([...UPGRADE_RINGS]);
const componentOption = () =>
  new Option('--component <component>', 'what the image is of (DELEGATE when not given)').choices([
    ...UPGRADE_COMPONENTS,
  ]);

export function upgradeCommand(tools: Tools): Command {
  const upgrade = new Command('upgrade').description('the versions that upgraders bring delegates to, ring by ring');

  example(upgrade.command('publish'), 'sallyport upgrade publish harness/delegate:25.09.86700 --ring canary')
    .description(
      'publish an image to the accounts of a ring; to the rest only what the canary took and is healthy with',
    )
    .argument('<image>', 'REPOSITORY:TAG with a version as its tag, or REPOSITORY:TAG@sha256:DIGEST')
    .addOption(required(new Option('--ring <ring>', 'who gets it').choices([...UPGRADE_RINGS])))
    .addOption(componentOption())
    .option('--allow-older', 'also when the ring publishes a newer version: go back to this one')
    .option('--force', 'publish to the rest also what the canary did not take, or did not come back with')
    .action((image: string, options: PublishOptions, command: Command) =>
      withApi(tools, command, async (session) => {
        const { ring, component, allowOlder = false, force = false } = options;
        const body = { image, ring, allowOlder, force, ...(component !== undefined && { component }) };
        const { resource, metaData } = await session.api.call<UpgradeRelease>('POST', `${UPGRADES}/releases`, { body });
        warnOfChange(session, metaData);
        session.output.result(resource, () => `${resource.image} is published to ring ${ring}.\n`);
      }),
    );

  example(upgrade.command('ring'), 'sallyport upgrade ring canary --account acme')
    .description('put an account into a ring; every account is in stable until then')
    .addArgument(ringArgument())
    .action((ring: UpgradeRing, _options: object, command: Command) =>
      withApi(tools, command, async ({ api, output, account }) => {
        const path = `${UPGRADES}/accounts/${encodeURIComponent(account())}/ring`;
        const { resource } = await api.call<{ ring: UpgradeRing }>('PUT', path, { body: { ring } });
        output.result(resource, () => `Account "${account()}" is in ring ${resource.ring}.\n`);
      }),
    );

  example(upgrade.command('override'), 'sallyport upgrade override 25.08.86600 --days 30 --allow-older')
    .description("choose a version for the account's delegates in place of its ring's, or take that back")
    .argument('[version]', 'a tag of the ring’s repository, or a whole image reference')
    .addOption(integerOption('--days <days>', 'how long it holds (180 when not given)', 1, 180))
    .option('--until-next-release', 'it holds until something is published to the ring')
    .option('--allow-older', 'also for delegates that run a newer version')
    .option('--remove', 'give the delegates what the ring publishes again')
    .action((version: string | undefined, options: OverrideOptions, command: Command) =>
      withApi(tools, command, (session) => override(session, version, options)),
    );

  example(upgrade.command('halt'), 'sallyport upgrade halt stable --reason "tasks fail with it"')
    .description('give out nothing new to the accounts of a ring')
    .addArgument(ringArgument())
    .addOption(componentOption())
    .option('--reason <text>', 'why, for whoever asks for the status')
    .action((ring: UpgradeRing, { component, reason }: HaltOptions, command: Command) =>
      withApi(tools, command, async ({ api, output }) => {
        const body = { ...(component !== undefined && { component }), ...(reason !== undefined && { reason }) };
        const { resource } = await api.call<UpgradeRelease>('POST', `${UPGRADES}/rings/${ring}/halt`, { body });
        output.result(resource, () => `Ring ${ring} gives out ${resource.image} no more.\n`);
      }),
    );

  example(upgrade.command('resume'), 'sallyport upgrade resume stable')
    .description("give out a halted ring's image again, also to delegates that failed with it")
    .addArgument(ringArgument())
    .addOption(componentOption())
    .action((ring: UpgradeRing, { component }: HaltOptions, command: Command) =>
      withApi(tools, command, async ({ api, output }) => {
        const body = component === undefined ? {} : { component };
        const { resource } = await api.call<UpgradeRelease>('POST', `${UPGRADES}/rings/${ring}/resume`, { body });
        output.result(resource, () => `Ring ${ring} gives out ${resource.image} again.\n`);
      }),
    );

  example(upgrade.command('status'), 'sallyport upgrade status --account acme')
    .description(
      "what each ring publishes and what came of it; with --account or an account's key, what its delegates get",
    )
    .action((_options: object, command: Command) =>
      withApi(tools, command, async (session) => {
        // A profile may name an account for other commands: an operator who asks about none sees all.
        const named = command.optsWithGlobals<GlobalOptions>().account !== undefined;
        if (named || accountOfKey(session.connection.key) !== undefined) await showAccount(session);
        else await showRings(session);
      }),
    );

  return upgrade;
}

async function override(
  { api, output, account }: Session,
  version: string | undefined,
  { days, untilNextRelease = false, allowOlder = false, remove = false }: OverrideOptions,
): Promise<void> {
  const accountIdentifier = account();
  if (remove !== (version === undefined)) {
    throw usageError('Name a version, or give --remove.', 'Run "sallyport upgrade override --help".');
  }
  if (version === undefined) {
    const { resource } = await api.call<boolean>('DELETE', OVERRIDE, { query: { accountIdentifier } });
    const text = resource ? 'gets what its ring publishes again' : 'had no override';
    output.result(resource, () => `Account "${accountIdentifier}" ${text}.\n`);
    return;
  }
  const query = {
    ...{ accountIdentifier, delegateTag: version },
    ...(days !== undefined && { validForDays: days }),
    ...(untilNextRelease && { validTillNextRelease: 'true' }),
    ...(allowOlder && { allowOlder: 'true' }),
  };
  const { resource } = await api.call<string>('PUT', OVERRIDE, { query });
  output.result(resource, () => `${resource}\n`);
}

async function showRings({ api, output }: Session): Promise<void> {
  const rings = await api.list<RingStatus>('GET', `${UPGRADES}/rings`, {});
  const releases = rings.flatMap((ring) => ring.releases);
  output.result(rings, () => {
    if (releases.length === 0) return 'Nothing is published.\n';
    const halted = releases.filter((release) => release.status === 'HALTED').map(whyHalted);
    return `${output.table(RELEASES, releases)}${halted.length === 0 ? '' : `\n${halted.join('')}`}`;
  });
}

async function showAccount({ api, output, account }: Session): Promise<void> {
  const query = { accountIdentifier: account() };
  const { resource } = await api.call<AccountUpgrades>('GET', `${UPGRADES}/account`, { query });
  const { ring, delegateImage, halted, override: own, attempts } = resource;
  output.result(resource, () => {
    const until = own?.validTillNextRelease ? 'until the next release' : `until ${formatTime(own?.validUntil)}`;
    const lines = [
      `Ring ${ring} publishes ${delegateImage ?? 'nothing'}.`,
      ...(halted === null ? [] : [halted]),
      ...(own === null ? [] : [`The account is at ${own.version} ${until}, set by ${own.createdBy}.`]),
    ];
    return `${lines.join('\n')}\n${attempts.length === 0 ? '' : `\n${output.table(ATTEMPTS, attempts)}`}`;
  });
}

/** Below the table, where it is not cut to the width of the terminal. */
function whyHalted({ ring, component, haltedAt, haltedBy, haltedReason }: UpgradeRelease): string {
  const who = haltedBy === 'system' ? 'by itself' : `by ${orDash(haltedBy)}`;
  const what = component === 'DELEGATE' ? `Ring ${ring}` : `Ring ${ring} (${component})`;
  return `${printable(`${what} is halted since ${formatTime(haltedAt)}, ${who}: ${orDash(haltedReason)}`)}\n`;
}

const RELEASES: Column<UpgradeRelease>[] = [
  { title: 'RING', value: (row) => row.ring },
  { title: 'COMPONENT', value: (row) => row.component },
  { title: 'IMAGE', value: (row) => row.image },
  { title: 'STATUS', value: (row) => row.status },
  { title: 'SINCE', value: (row) => formatTime(row.haltedAt ?? row.publishedAt) },
  { title: 'TOLD', value: (row) => String(row.offered) },
  { title: 'TOOK', value: (row) => String(row.taken) },
  { title: 'HEALTHY', value: (row) => String(row.healthy) },
  { title: 'FAILED', value: (row) => String(row.failed) },
];

const ATTEMPTS: Column<UpgradeAttempt>[] = [
  { title: 'DELEGATE', value: (row) => orDash(row.delegate) },
  { title: 'FROM', value: (row) => row.from },
  { title: 'TO', value: (row) => row.to },
  { title: 'TOLD', value: (row) => formatTime(row.offeredAt) },
  { title: 'OUTCOME', value: (row) => row.outcome },
];
