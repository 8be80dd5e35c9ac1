import { DEFENCES } from './defences/defences.ts';
import type { Verdict } from './gauntlet.ts';
import type { Result } from './run.ts';

export interface TargetResults {
  readonly key: string;
  readonly version: string;
  readonly results: readonly Result[];
}

/** What a verdict says of a target: the attack was refused, or it was let in. */
const WORDS: Readonly<Record<Verdict, string>> = { pass: 'holds', fail: 'ADMITS', 'not applicable': '-' };

/** One table for the terminal, a row a case, then what was seen where an attack came through. */
export function table(all: readonly TargetResults[], everything = false): string {
  const [first] = all;
  if (first === undefined) return 'Nothing ran.';
  const width = Math.max(...first.results.map((result) => result.case.id.length));
  const head = `${'case'.padEnd(width)}  ${all.map(({ key }) => key.padEnd(9)).join('  ')}`;
  const rows = first.results.map((result, row) =>
    `${result.case.id.padEnd(width)}  ${all.map(({ results }) => wordOf(results[row]).padEnd(9)).join('  ')}`.trimEnd(),
  );
  const seen = all.flatMap(({ key, results }) =>
    results
      .filter(({ outcome }) => everything || outcome.verdict === 'fail')
      .map(
        (result) => `${key}: ${result.case.id}: ${result.outcome.evidence}${everything ? ` (${result.ms} ms)` : ''}`,
      ),
  );
  return [head, ...rows, '', ...all.map(counts), '', ...seen].join('\n').trimEnd();
}

/** docs/gauntlet.md: in the order of the suite, so that two runs differ only in what was seen. */
export function document(all: readonly TargetResults[], now: Date): string {
  const cases = all[0]?.results.map((result) => result.case) ?? [];
  const groups = [...new Set(cases.map(({ group }) => group))];
  const lines = [
    '# The gauntlet',
    '',
    `Attacks on multi-tenant mTLS endpoints, ${cases.length} cases, from outside, over sockets alone. This page is written by`,
    '`npm run gauntlet -- --write`; the suite, with the configuration of every program, is in `gauntlet/`.',
    '',
    `Run on ${now.toISOString().slice(0, 10)} against:`,
    '',
    ...all.map((one) => `- ${counts(one)}`),
    '',
    'Each program serves two tenants with a CA each, and one plain host, on loopback. The proxies stand before a small backend',
    'that answers which tenant and which subject it was told; they run with the defaults of their versions and what their',
    'documentation advises for client certificates. "Holds": what must happen happened. "Admits": an attack came through, in that',
    'version and with that configuration. "Cuts off": somebody was refused who must not be. "-": the case is about something',
    'that the program does not have.',
    '',
    '`npm run gauntlet:defences` takes the defences of Sallyport out of a running manager, one after the other, and runs the',
    `cases that each is there for: at least one has to fail. There are ${DEFENCES.length}, in \`gauntlet/defences/defences.ts\`.`,
  ];
  for (const group of groups) {
    lines.push('', `## ${capital(group)}`, '', `| case | ${all.map(({ key }) => key).join(' | ')} |`);
    lines.push(`|---|${all.map(() => '---').join('|')}|`);
    cases.forEach((one, row) => {
      if (one.group !== group) return;
      const words = all.map(({ results }) => wordOf(results[row]).toLowerCase());
      const taught = one.taughtBy === undefined ? '' : `<br>Taught by ${one.taughtBy}.`;
      lines.push(
        `| **${cell(one.title)}**<br>${cell(one.attack)}<br>Must: ${cell(one.expected)}.${taught} | ${words.join(' | ')} |`,
      );
    });
  }
  lines.push('', '## What was seen where a case does not hold', '');
  for (const { key, version, results } of all) {
    for (const { case: one, outcome } of results) {
      if (outcome.verdict === 'fail') lines.push(`- ${version}, \`${one.id}\`: ${cell(outcome.evidence)}`);
    }
    if (results.every(({ outcome }) => outcome.verdict !== 'fail')) lines.push(`- ${key}: nothing.`);
  }
  return `${lines.join('\n')}\n`;
}

function counts({ version, results }: TargetResults): string {
  const count = (verdict: Verdict) => results.filter(({ outcome }) => outcome.verdict === verdict).length;
  return `${version}: ${count('pass')} hold, ${count('fail')} do not, ${count('not applicable')} not applicable`;
}

/** A case without an attack is about those who must get in: there, failing is refusing them. */
function wordOf(result: Result | undefined): string {
  const verdict = result?.outcome.verdict ?? 'not applicable';
  return verdict === 'fail' && result?.case.attack.startsWith('None:') === true ? 'CUTS OFF' : WORDS[verdict];
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ').replaceAll('<', '&lt;');
