import type { EditableText } from './edit/editable-text.ts';
import { type Applied, originalPosition } from './edit/settle.ts';
import { type FindingCode, findings, type Problem } from './finding.ts';
import type { Change, RepairedMistake, Warning } from './migration.ts';

/** How far a migration had come before: what was left out by then was a mistake, what nobody had begun was not. */
export interface Progress {
  readonly begun: boolean;
  /** The delegate named the same endpoint already. */
  readonly atEndpoint: boolean;
  /** What it named instead is no URL of an endpoint at all: a placeholder, a domain twice, a path. */
  readonly namesNoEndpoint?: boolean;
}

const followsEndpoint: ReadonlySet<FindingCode> = new Set([
  'LOG_SERVICE_BYPASSES_MTLS',
  'TI_SERVICE_BYPASSES_MTLS',
  'UPGRADER_OLD_HOST',
]);

/** The changes, and the repaired mistakes among them, by line of the input. */
export function report(
  applied: readonly Applied[],
  progress: Progress = { begun: false, atEndpoint: false },
): { changes: Change[]; repaired: RepairedMistake[] } {
  const wasWrong = (code: FindingCode) => {
    if (findings[code].kind === 'mistake') return true;
    if (code === 'MANAGER_OLD') return progress.begun && progress.namesNoEndpoint === true;
    if (code === 'SECRET_OUTDATED') return false;
    return progress.begun && (progress.atEndpoint || !followsEndpoint.has(code));
  };
  const ordered = applied
    .map(({ problem, at, what }) => ({ code: problem.code, line: at.line, what, why: problem.message }))
    .sort((a, b) => a.line - b.line);
  return {
    changes: ordered.map(({ line, what, why }) => ({ line, what, why })),
    repaired: ordered.filter(({ code }) => wasWrong(code)),
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
