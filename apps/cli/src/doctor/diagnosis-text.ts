import type { Check, Diagnosis } from '@sallyport/doctor';
import { printable } from '../output/printable.ts';

const WORDS = { pass: 'ok', warn: 'WARN', fail: 'FAIL', skipped: 'skip' } as const;

/** The checks, one below the other, and at the end the cause with the one thing to do. */
export function diagnosisText({ checks, cause, status, manager, tookMs }: Diagnosis): string {
  // What does not apply to this set-up says nothing to a person; a program reads it with --json.
  const shown = checks.filter((check) => check.status !== 'skipped' || check.because !== null);
  const width = Math.max(...shown.map(({ title }) => title.length));
  const lines = shown.map((check) => line(check, width));
  const where = manager === null ? '' : ` to ${manager}`;
  const summary =
    cause === null
      ? `All is well: this delegate can connect${where}`
      : status === 'fail'
        ? `Cause: ${cause.title}. ${cause.evidence}\nDo:    ${cause.remedy}`
        : `This delegate can connect${where}. Worth mending: ${cause.title}. ${cause.evidence}\nDo:    ${cause.remedy}`;
  const request = cause?.readyToSend == null ? '' : `\n--- ready to send ---\n${cause.readyToSend}---\n`;
  const took = `(${(tookMs / 1000).toFixed(1)} s)`;
  return `${lines.join('')}\n${printable(`${summary} ${took}`, { keepLines: true })}\n${printable(request, { keepLines: true })}`;
}

function line({ status, title, evidence }: Check, width: number): string {
  return `${printable(`${WORDS[status].padEnd(4)}  ${title.padEnd(width)}  ${evidence}`)}\n`;
}
