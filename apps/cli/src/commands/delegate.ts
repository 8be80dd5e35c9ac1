import type { DelegateFilter, DelegateListing, DelegateReplica } from '@sallyport/protocol';
import { Command } from 'commander';
import { example } from '../help.ts';
import { repeated } from '../options.ts';
import { formatTime, orDash } from '../output/format.ts';
import type { Column } from '../output/table.ts';
import { type Tools, withApi } from '../session.ts';
import { pinCommands } from './delegate-pin.ts';
import { delegateRunCommand } from './delegate-run.ts';

const SETUP = '/ng/api/delegate-setup';

interface ListOptions {
  readonly name?: string;
  readonly tag?: string[];
  readonly connected?: boolean;
  readonly certificates?: boolean;
}

/** One running instance with the delegate that it belongs to; a delegate without instances has a row too. */
interface Row {
  readonly delegate: DelegateListing;
  readonly replica: DelegateReplica | undefined;
}

export function delegateCommand(tools: Tools): Command {
  const delegate = new Command('delegate').description('delegates: the agents that dial out and run tasks');

  example(delegate.command('list'), 'sallyport delegate list --connected --certificates')
    .description('list the delegates: connected or not, how, with which certificate, last seen, kept current or not')
    .option('--name <name>', 'only this delegate')
    .option('--tag <tag>', 'only delegates with this tag; repeat for several, which must all be there', repeated)
    .option('--connected', 'only those that are connected now')
    .option('--certificates', 'show the client certificates instead of version and host')
    .action((options: ListOptions, command: Command) =>
      withApi(tools, command, async ({ api, output, account }) => {
        const body: DelegateFilter = {
          filterType: 'Delegate',
          ...(options.name === undefined ? {} : { delegateName: options.name }),
          ...(options.tag === undefined ? {} : { delegateTags: options.tag }),
          ...(options.connected === true ? { status: 'CONNECTED' } : {}),
        };
        const query = { accountIdentifier: account() };
        const delegates = await api.list<DelegateListing>('POST', `${SETUP}/listDelegates`, { query, body });
        const columns = [...WHO, ...(options.certificates === true ? CERTIFICATES : WHERE)];
        output.result(delegates, () =>
          delegates.length === 0 ? 'There are no delegates.\n' : output.table(columns, delegates.flatMap(rowsOf)),
        );
      }),
    );

  example(delegate.command('delete'), 'sallyport delegate delete edge-1')
    .description('forget a delegate; one that still runs with a valid token registers again')
    .argument('<delegate>', 'its name, as "delegate list" shows it')
    .action((identifier: string, _options: object, command: Command) =>
      withApi(tools, command, async ({ api, output, account }) => {
        const query = { accountIdentifier: account() };
        const path = `${SETUP}/delegate/${encodeURIComponent(identifier)}`;
        const { resource } = await api.call<unknown>('DELETE', path, { query });
        output.result(resource, () => `Delegate "${identifier}" is deleted.\n`);
      }),
    );

  for (const command of pinCommands(tools)) delegate.addCommand(command);
  delegate.addCommand(delegateRunCommand(tools));
  return delegate;
}

function rowsOf(delegate: DelegateListing): Row[] {
  if (delegate.delegateReplicas.length === 0) return [{ delegate, replica: undefined }];
  return delegate.delegateReplicas.map((replica) => ({ delegate, replica }));
}

const WHO: Column<Row>[] = [
  { title: 'NAME', value: ({ delegate }) => delegate.name },
  {
    title: 'STATE',
    value: ({ delegate, replica }) => ((replica ?? delegate).connected ? 'connected' : 'disconnected'),
  },
  { title: 'TRANSPORT', value: ({ replica }) => orDash(replica?.transport) },
];
const WHERE: Column<Row>[] = [
  { title: 'VERSION', value: ({ replica }) => orDash(replica?.version) },
  { title: 'HOST', value: ({ replica }) => orDash(replica?.hostName) },
  {
    title: 'LAST SEEN',
    value: ({ delegate, replica }) => formatTime(replica?.lastHeartbeat ?? delegate.lastHeartBeat),
  },
  { title: 'CERTIFICATE EXPIRES', value: ({ replica }) => formatTime(replica?.certificate?.notAfter) },
  { title: 'AUTO-UPGRADE', value: ({ delegate }) => orDash(delegate.autoUpgrade) },
  { title: 'TAGS', value: ({ delegate }) => orDash(delegate.tags.join(', ')) },
];
const CERTIFICATES: Column<Row>[] = [
  { title: 'SUBJECT', value: ({ replica }) => orDash(replica?.certificate?.subject) },
  { title: 'ISSUER', value: ({ replica }) => orDash(replica?.certificate?.issuer) },
  { title: 'EXPIRES', value: ({ replica }) => formatTime(replica?.certificate?.notAfter) },
  { title: 'SHA-256', value: ({ replica }) => orDash(replica?.certificate?.fingerprint) },
];
