import { findings, type Problem } from '../finding.ts';
import { ManifestError } from '../manifest-error.ts';
import type { EditableText, TextEdit, TextPosition } from './editable-text.ts';
import { placeEdits } from './text-part.ts';

export type Rule<Scene> = (scene: Scene) => Iterable<Problem>;

export interface Applied {
  readonly problem: Problem;
  readonly at: TextPosition;
  readonly what: string;
}

/** A file whose text settles; `parts` are what must stay well formed while it does. */
export interface SettlingFile {
  readonly source: EditableText;
  readonly parts: readonly { readonly fault: unknown }[];
}

// A manifest has some twenty places to change; a file that wants more repairs than this is being changed back and forth.
const mostRepairs = 400;

/**
 * Applies the repairs that the rules propose, reading the text anew after each, until no rule has any left. Whatever
 * comes out is therefore left alone by the same rules: applying them twice is applying them once.
 *
 * @throws ManifestError SHAPE_UNSUPPORTED when a repair cannot be made in this text; the text is then of no use.
 */
export function settle<Scene>(
  file: SettlingFile,
  read: () => Scene,
  rules: readonly Rule<Scene>[],
  wanted: (problem: Problem) => boolean = () => true,
): Applied[] {
  const applied: Applied[] = [];
  for (let changed = true; changed; ) {
    changed = false;
    for (const rule of rules) {
      for (let batch = next(rule, read(), wanted); batch.length > 0; batch = next(rule, read(), wanted)) {
        applied.push(...repair(file, batch));
        changed = true;
        if (applied.length > mostRepairs && batch[0])
          throw unsupported(file.source, batch[0], 'its repairs undo each other');
      }
    }
  }
  return applied;
}

/** The first problem to repair, and with it those of its kind that say that they do not depend on each other. */
function next<Scene>(rule: Rule<Scene>, scene: Scene, wanted: (problem: Problem) => boolean): Problem[] {
  const batch: Problem[] = [];
  for (const problem of rule(scene)) {
    if (!problem.repair || !wanted(problem)) continue;
    if (!problem.independent) return batch.length > 0 ? batch : [problem];
    batch.push(problem);
  }
  return batch;
}

function repair(file: SettlingFile, problems: readonly Problem[]): Applied[] {
  const { source } = file;
  const [first] = problems;
  if (!first) return [];
  const before = source.text;
  const applied: Applied[] = [];
  const edits: TextEdit[] = [];
  try {
    for (const problem of problems) {
      const made = problem.repair?.();
      const placed = placeEdits(made?.edits ?? []);
      if (
        !made ||
        (made.alone && edits.length > 0) ||
        placed.some((edit) => edits.some((other) => collide(edit, other)))
      )
        continue;
      edits.push(...placed);
      applied.push({ problem, at: originalPosition(source, problem), what: made.what });
      if (made.alone) break;
    }
    source.apply(edits);
  } catch (error) {
    if (error instanceof RangeError) throw unsupported(source, first, error.message);
    throw error;
  }
  if (source.text === before) throw unsupported(source, first, 'the repair changes nothing');
  if (file.parts.some((part) => part.fault)) throw unsupported(source, first, 'the result would not be YAML');
  return applied;
}

/** Whether two edits want the same characters; the second then waits for the next look. */
function collide(a: TextEdit, b: TextEdit): boolean {
  return a.start < b.end && b.start < a.end;
}

export function originalPosition(source: EditableText, { at }: Pick<Problem, 'at'>): TextPosition {
  return source.originalPosition(at.part.offsetInFile(at.offset));
}

function unsupported(source: EditableText, problem: Problem, reason: string): ManifestError {
  const { title } = findings[problem.code];
  return new ManifestError(
    'SHAPE_UNSUPPORTED',
    `${title}, and this text cannot be changed safely (${reason}). ${problem.remedy} Do it by hand, then run this again.`,
    originalPosition(source, problem),
  );
}
