import { findings, type Problem } from '../finding.ts';
import { ManifestError } from '../manifest-error.ts';
import type { EditableText, TextPosition } from './editable-text.ts';
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
 * Applies the repairs that the rules propose, one by one, reading the text anew after each, until no rule has any left.
 * Whatever comes out is therefore left alone by the same rules: applying them twice is applying them once.
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
      for (let problem = next(rule, read(), wanted); problem; problem = next(rule, read(), wanted)) {
        applied.push(repair(file, problem));
        changed = true;
        if (applied.length > mostRepairs) throw unsupported(file.source, problem, 'its repairs undo each other');
      }
    }
  }
  return applied;
}

function next<Scene>(rule: Rule<Scene>, scene: Scene, wanted: (problem: Problem) => boolean): Problem | undefined {
  for (const problem of rule(scene)) if (problem.repair && wanted(problem)) return problem;
  return undefined;
}

function repair(file: SettlingFile, problem: Problem): Applied {
  const { source } = file;
  const at = originalPosition(source, problem);
  const before = source.text;
  let what = '';
  try {
    const made = problem.repair?.();
    what = made?.what ?? '';
    source.apply(placeEdits(made?.edits ?? []));
  } catch (error) {
    if (error instanceof RangeError) throw unsupported(source, problem, error.message);
    throw error;
  }
  if (source.text === before) throw unsupported(source, problem, 'the repair changes nothing');
  if (file.parts.some((part) => part.fault)) throw unsupported(source, problem, 'the result would not be YAML');
  return { problem, at, what };
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
