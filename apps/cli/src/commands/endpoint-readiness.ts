import type { Readiness, ReadinessRow, Refusal } from '@sallyport/protocol';
import { Command } from 'commander';
import { EXIT } from '../exit-codes.ts';
import { example } from '../help.ts';
import { formatTime, orDash } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import { printable } from '../output/printable.ts';
import { type Tools, withApi } from '../session.ts';
import { notSeenOption } from './endpoint-safety.ts';

const READINESS = '/ng/api/agent/mtls/readiness';

export function readinessCommand(tools: Tools): Command {
  return example(new Command('readiness'), 'sallyport endpoint readiness')
    .description('who would be cut off by strict, and what to do about each delegate (exit code 6 when not ready)')
    .addOption(notSeenOption())
    .action(({ notSeenFor }: { notSeenFor?: number }, command: Command) =>
      withApi(tools, command, async ({ api, output, account }) => {
        const query = { accountIdentifier: account(), notSeenForDays: notSeenFor };
        const { resource } = await api.call<Readiness>('GET', READINESS, { query });
        output.result(resource, () => describe(output, resource) + wholeRemedies(tools, resource));
        if (!resource.ready) tools.setExit(EXIT.conflict);
      }),
    );
}

function describe(output: Output, { ready, mode, totals, delegates, refusedClients }: Readiness): string {
  const blocking = delegates.filter(({ blocksStrict }) => blocksStrict).length;
  const verdict = ready
    ? `Ready for STRICT: nobody would be cut off. The mode is ${mode}.`
    : `Not ready for STRICT: ${blocking === 1 ? '1 delegate' : `${blocking} delegates`} would be cut off or kept out. The mode is ${mode}.`;
  const counted = [
    `${totals.onMtls} on mTLS`,
    `${totals.plain} plain`,
    `${totals.plainAfterMtls} plain after mTLS`,
    `${totals.invalidCertificate} with an invalid certificate`,
    `${totals.notSeen} not seen for long`,
  ].join(', ');
  return [
    `${verdict}\n${counted}.\n`,
    delegates.length === 0 ? 'No delegate has registered.\n' : output.table(COLUMNS, delegates),
    ...(refusedClients.length === 0
      ? []
      : ['Refused certificates that are no known delegate’s:\n', output.table(REFUSED_COLUMNS, refusedClients)]),
  ].join('\n');
}

/** A terminal is seldom wide enough for the last column, and what to do is what the command is for. */
function wholeRemedies({ terminal }: Tools, { delegates }: Readiness): string {
  const blocking = delegates.filter(({ blocksStrict }) => blocksStrict);
  if (terminal.stdout.isTTY !== true || blocking.length === 0) return '';
  return `\nWhat to do:\n${blocking.map((row) => `  ${printable(`${row.name}: ${row.remedy}`)}\n`).join('')}`;
}

const COLUMNS = [
  { title: '', value: (row: ReadinessRow) => (row.blocksStrict ? '!' : '') },
  { title: 'DELEGATE', value: (row: ReadinessRow) => row.name },
  { title: 'HOST', value: (row: ReadinessRow) => orDash(row.hostName) },
  { title: 'STATE', value: stateOf },
  { title: 'LAST SEEN', value: (row: ReadinessRow) => (row.connected ? 'connected' : formatTime(row.lastSeen)) },
  { title: 'WHAT TO DO', value: (row: ReadinessRow) => row.remedy },
];

const REFUSED_COLUMNS = [
  { title: 'LAST SEEN', value: (row: Refusal) => formatTime(row.lastSeen) },
  { title: 'REASON', value: (row: Refusal) => row.reason },
  { title: 'FROM', value: (row: Refusal) => row.remoteAddress },
  { title: 'CERTIFICATE', value: (row: Refusal) => orDash(row.certificate?.subject) },
  { title: 'WHAT TO DO', value: (row: Refusal) => row.remedy },
];

function stateOf({ state, refusal }: ReadinessRow): string {
  return state === 'INVALID_CERTIFICATE' && refusal !== null ? `${state} (${refusal.reason})` : state;
}
