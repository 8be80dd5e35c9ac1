import { Purpose, purposeName, wordDuration } from '@sallyport/trust';
import { formatTime, orDash } from '../output/format.ts';
import { printable } from '../output/printable.ts';
import { fields } from '../output/table.ts';
import type { CertificateReport, ChainReport, Flaw, Inspection, KeyReport, RequestReport } from './inspection.ts';

/** The report for a person: one part for each certificate, request and key, and how they lie as a chain. */
export function inspectionText(report: Inspection, now: number): string {
  const locked = report.keys.find((key) => key.locked);
  const many = report.certificates.length + report.requests.length > 0;
  return [
    ...report.certificates.map((certificate) => certificateText(certificate, locked, now)),
    ...report.requests.map(requestText),
    ...report.keys.map((key) => keyText(key, many)),
    ...report.notLookedAt.map(({ file, place, what, remedy }) =>
      line(`${file}, ${place}: not looked at, for it is ${what}. ${remedy}`),
    ),
    ...chainText(report.chain),
  ].join('\n');
}

function certificateText(report: CertificateReport, locked: KeyReport | undefined, now: number): string {
  const without = locked === undefined ? 'not among these files' : `not known: the key in ${locked.file} is encrypted`;
  return (
    fields([
      ['Where', `${report.file}, ${report.place}`],
      ['Subject', orDash(report.subject)],
      ['Names', orDash(report.subjectAlternativeNames.join(', '))],
      ['Issuer', orDash(report.issuer)],
      ['Valid', `${formatTime(report.notBefore)} to ${formatTime(report.notAfter)} (${validity(report, now)})`],
      [
        'Kind',
        `${kindText(report)} certificate, X.509 v${report.version}, ${report.keyAlgorithm}, signed with ${report.signatureAlgorithm}`,
      ],
      ['Purpose', purposesText(report.purposes, 'not stated, so every one')],
      ['Serial', report.serialNumber],
      ['SHA-256', report.fingerprint],
      ['SHA-1', report.fingerprintSha1],
      ['SPKI SHA-256', report.publicKeySha256],
      ['Key', report.privateKey ?? without],
    ]) + report.weaknesses.map(flawText).join('')
  );
}

function requestText(report: RequestReport): string {
  const signature = { true: 'by its own key', false: 'WRONG', null: 'of a kind that is not known here' } as const;
  return (
    fields([
      ['Where', `${report.file}, ${report.place}`],
      ['Subject', orDash(report.subject)],
      ['Names', orDash(report.subjectAlternativeNames.join(', '))],
      ['Kind', `signing request (PKCS#10), ${report.keyAlgorithm}`],
      ['Purpose', purposesText(report.purposes, 'not stated')],
      ['Signature', signature[`${report.signatureValid}`]],
      ['SPKI SHA-256', report.publicKeySha256],
      ['Key', report.privateKey ?? 'not among these files'],
    ]) + report.weaknesses.map(flawText).join('')
  );
}

function keyText(report: KeyReport, hasOthers: boolean): string {
  const kind = `${report.algorithm ?? 'private key'}, ${report.form}${report.encrypted ? ', encrypted' : ''}, ${report.encoding}`;
  const owners = report.belongsTo.join('; ');
  const whose = report.locked
    ? 'what it belongs to is not known: write its passphrase into a file, and give that with --passphrase-file'
    : owners !== ''
      ? `belongs to ${owners}`
      : hasOthers
        ? 'belongs to none of these certificates'
        : 'name its certificate, too, to see whether they belong together';
  return line(`${report.file}, ${report.place}: ${kind}; ${whose}`) + report.weaknesses.map(flawText).join('');
}

const flawText = ({ fatal, message, remedy }: Flaw): string =>
  line(`${fatal ? 'refused' : 'weak'}: ${message} ${remedy}`);

function validity({ notBefore, notAfter, daysLeft }: CertificateReport, now: number): string {
  if (!(now < notAfter)) return `expired ${wordDuration(now - notAfter)} ago`;
  if (now < notBefore) return `not valid yet: becomes valid in ${wordDuration(notBefore - now)}`;
  return daysLeft < 2 ? `${wordDuration(notAfter - now)} left` : `${daysLeft} days left`;
}

function kindText({ isCa, purposes }: CertificateReport): string {
  if (isCa) return 'CA';
  if (purposes === null || purposes.includes(Purpose.CLIENT_AUTH)) return 'client';
  return purposes.includes(Purpose.SERVER_AUTH) ? 'server' : 'end-entity';
}

const PURPOSES: Readonly<Record<string, string>> = {
  [Purpose.CLIENT_AUTH]: 'TLS client',
  [Purpose.SERVER_AUTH]: 'TLS server',
  [Purpose.ANY]: 'any',
};

function purposesText(purposes: readonly string[] | null, none: string): string {
  if (purposes === null) return none;
  return purposes.map((oid) => PURPOSES[oid] ?? purposeName(oid)).join(', ');
}

function chainText(chain: ChainReport | null): string[] {
  if (chain === null) return [];
  if ('problem' in chain) return [line(`Chain: none. ${chain.problem}`)];
  const others = chain.unrelated.length === 0 ? '' : `; not part of it: ${chain.unrelated.join('; ')}`;
  return [line(`Chain: ${chain.inOrder ? 'in order' : 'out of order (mend it with "sallyport cert chain")'}${others}`)];
}

const line = (text: string): string => `${printable(text)}\n`;
