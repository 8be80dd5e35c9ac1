import { examineCompose, examineDockerCommand } from '../docker/examine.ts';
import { EditableText, type TextPosition } from '../edit/editable-text.ts';
import { type Applied, originalPosition, settle } from '../edit/settle.ts';
import { wholeFile } from '../edit/text-part.ts';
import { type FindingCode, findings, type Problem, type Severity } from '../finding.ts';
import { detectForm, type ManifestForm } from '../form.ts';
import { examineHelmCommand, examineHelmValues } from '../helm/examine.ts';
import { examineKubernetes } from '../kubernetes/examine.ts';
import { ManifestError } from '../manifest-error.ts';
import { examineUpgraderConfig } from '../upgrader-config/examine.ts';
import type { CheckContext, Examination, Examiner } from './examination.ts';

/** Something wrong, or worth knowing, in a manifest. */
export interface Finding {
  readonly code: FindingCode;
  readonly severity: Severity;
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly remedy: string;
  /** Whether `fix` can mend it by itself. */
  readonly fixable: boolean;
}

const examiners: Readonly<Record<ManifestForm, Examiner>> = {
  kubernetes: examineKubernetes,
  'helm-values': examineHelmValues,
  'helm-command': examineHelmCommand,
  'docker-command': examineDockerCommand,
  compose: examineCompose,
  'upgrader-config': examineUpgraderConfig,
};

/**
 * Looks for mistakes in a delegate's manifest, by line. What is missing for mTLS is reported once mTLS was begun in the
 * file (or the account is STRICT); a plain delegate that works is left in peace.
 *
 * @throws ManifestError FORM_UNKNOWN for a text that is no manifest, ENDPOINT_INVALID for an unusable `endpoint`.
 */
export function check(text: string, context: CheckContext = {}): Finding[] {
  const source = new EditableText(text);
  const form = context.form ?? detectForm(text);
  const examinations = examiners[form](source, context);
  const problems = examinations.flatMap((examination) => examination.problems());
  const found = asFindings(placed([...problems, ...noDelegate(examinations, form)], source));
  const known = new Set(found.map(({ line, code }) => `${line} ${code}`));
  const behind = found.some(({ fixable }) => fixable)
    ? hidden(text, { ...context, form }).filter(({ line, code }) => !known.has(`${line} ${code}`))
    : [];
  return [...found, ...behind].sort((a, b) => a.line - b.line || a.column - b.column);
}

/** What shows only when other mistakes are mended (a mode in a list that stands in the wrong place): one run is to name it all. */
function hidden(text: string, context: CheckContext): Finding[] {
  const source = new EditableText(text);
  const examinations = examine(source, context);
  try {
    const applied = mend(examinations);
    const found = [
      ...applied,
      ...placed(
        examinations.flatMap(({ problems }) => problems()),
        source,
      ),
    ];
    return asFindings(found.map(({ problem, at }) => ({ problem, at: beforeMoved(at, applied, text) })));
  } catch (error) {
    // What cannot be mended here hides what it hides.
    if (error instanceof ManifestError) return [];
    throw error;
  }
}

/** What was moved has the place that it was moved to, behind the end of a line: the list that it stood in is where to look. */
function beforeMoved(at: TextPosition, applied: readonly Applied[], text: string): TextPosition {
  const lines = text.split('\n');
  if (at.column <= (lines[at.line - 1] ?? '').trimEnd().length) return at;
  const sameDocument = (list: TextPosition) =>
    !lines.slice(Math.min(list.line, at.line), Math.max(list.line, at.line)).some((line) => line.startsWith('---'));
  const moved = applied.flatMap((each) => (each.problem.code === 'MISPLACED_LIST' ? each.at : [])).filter(sameDocument);
  const distance = (list: TextPosition) => Math.abs(list.line - at.line);
  return moved.sort((a, b) => distance(a) - distance(b))[0] ?? at;
}

function mend(examinations: readonly Examination[]): Applied[] {
  const [first] = examinations;
  const rules = examinations.map(({ problems }) => problems);
  return first ? settle(first.file, () => undefined, [{ rules }], isSafe) : [];
}

interface PlacedProblem {
  readonly problem: Problem;
  readonly at: TextPosition;
}

function placed(problems: readonly Problem[], source: EditableText): PlacedProblem[] {
  return problems.map((problem) => ({ problem, at: originalPosition(source, problem) }));
}

export interface Fixed {
  readonly text: string;
  /** What was mended, with its line in the input. */
  readonly fixed: readonly { readonly code: FindingCode; readonly line: number; readonly what: string }[];
  /** What is left. Lines are those of the new text. */
  readonly remaining: readonly Finding[];
}

/** Mends what can be mended without knowing more than the file says: names that do not match, decimal modes, fields out of place. */
export function fix(text: string, context: CheckContext = {}): Fixed {
  const source = new EditableText(text);
  const examinations = examine(source, context);
  const applied = mend(examinations);
  return {
    text: source.text,
    fixed: applied
      .map(({ problem, at, what }) => ({ code: problem.code, line: at.line, what }))
      .sort((a, b) => a.line - b.line),
    remaining: check(source.text, { ...context, form: context.form ?? detectForm(text) }),
  };
}

function examine(source: EditableText, context: CheckContext): Examination[] {
  const form = context.form ?? detectForm(source.text);
  return examiners[form](source, context);
}

/** Without this a file in which nothing was looked at would pass for one without mistakes. */
function* noDelegate(examinations: readonly Examination[], form: ManifestForm): Iterable<Problem> {
  const broken = examinations.some(({ file }) => file.parts.some((part) => part.fault));
  if (broken || examinations.some(({ delegate }) => delegate)) return;
  yield {
    code: 'NO_DELEGATE',
    at: { part: wholeFile, offset: 0 },
    message: `No delegate was found in this file, read as ${formNames[form]}: nothing of a delegate was checked.`,
    remedy: remedies[form] ?? 'Give the file that holds the delegate; if it is another form, name it with --form.',
  };
}

const formNames: Readonly<Record<ManifestForm, string>> = {
  kubernetes: 'a Kubernetes manifest',
  'helm-values': 'Helm values',
  'helm-command': 'a helm command',
  'docker-command': 'a docker command',
  compose: 'a compose file',
  'upgrader-config': 'the upgrader’s config.yaml',
};

const remedies: Readonly<Partial<Record<ManifestForm, string>>> = {
  kubernetes:
    'Give the file that holds the delegate’s Deployment. A delegate is known by a container named "delegate", an image named "delegate", or the delegate’s variables.',
};

function isSafe(problem: Problem): boolean {
  return problem.repair !== undefined && problem.safe !== false;
}

function asFindings(problems: readonly PlacedProblem[]): Finding[] {
  const found = new Map<string, Finding>();
  for (const { problem, at } of problems) {
    const { line, column } = at;
    const key = `${line}:${column}:${problem.code}:${problem.message}`;
    const known = found.get(key);
    if (known && (known.fixable || !isSafe(problem))) continue;
    const severity = problem.severity ?? findings[problem.code].severity;
    found.set(key, {
      code: problem.code,
      severity,
      line,
      column,
      message: problem.message,
      remedy: problem.remedy,
      fixable: isSafe(problem),
    });
  }
  return [...found.values()].sort((a, b) => a.line - b.line || a.column - b.column);
}
