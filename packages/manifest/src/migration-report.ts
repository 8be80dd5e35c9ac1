import type { EditableText } from './edit/editable-text.ts';
import { type Applied, originalPosition } from './edit/settle.ts';
import { findings, type Problem } from './finding.ts';
import type { Change, RepairedMistake, Warning } from './migration.ts';

/** The changes, and the repaired mistakes among them, by line of the input. */
export function report(applied: readonly Applied[]): { changes: Change[]; repaired: RepairedMistake[] } {
  const ordered = applied
    .map(({ problem, at, what }) => ({ code: problem.code, line: at.line, what, why: problem.message }))
    .sort((a, b) => a.line - b.line);
  return {
    changes: ordered.map(({ line, what, why }) => ({ line, what, why })),
    repaired: ordered.filter(({ code }) => findings[code].kind === 'mistake'),
  };
}

/** Problems that nothing repaired, as warnings. */
export function warningsFrom(problems: readonly Problem[], source: EditableText): Warning[] {
  return problems
    .map((problem) => ({
      code: problem.code,
      line: originalPosition(source, problem).line,
      message: problem.message,
      remedy: problem.remedy,
    }))
    .sort((a, b) => a.line - b.line);
}
