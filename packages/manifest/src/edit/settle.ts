import { findings, type Problem } from '../finding.ts';
import { ManifestError } from '../manifest-error.ts';
import type { EditableText, TextEdit, TextPosition } from './editable-text.ts';
import { placeEdits } from './text-part.ts';

export type Rule<Scene> = (scene: Scene) => Iterable<Problem>;

/** Rules that do not build on each other. */
export interface Stage<Scene> {
  readonly rules: readonly Rule<Scene>[];
  /**
   * The rules are about one delegate, and what an earlier one adds at a place belongs in front of what a later one adds
   * there: items of a list before the next key of its map.
   */
  readonly ordered?: boolean;
}

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

// A delegate has some twenty places to change; a file that is looked at more often than this is being changed back and forth.
const mostLooks = 400;

/**
 * Applies the repairs that the rules propose, reading the text anew after each look, until no rule has any left.
 * Whatever comes out is therefore left alone by the same rules: applying them twice is applying them once.
 *
 * Rules of one stage do not build on each other: what they propose at one look is made at once, as far as it does not
 * touch. Reading is what costs, and so a file of a hundred delegates is read as often as a file of one.
 *
 * @throws ManifestError SHAPE_UNSUPPORTED when a repair cannot be made in this text; the text is then of no use.
 */
export function settle<Scene>(
  file: SettlingFile,
  read: () => Scene,
  stages: readonly Stage<Scene>[],
  wanted: (problem: Problem) => boolean = () => true,
): Applied[] {
  const applied: Applied[] = [];
  let looks = 0;
  for (let changed = true; changed; ) {
    changed = false;
    for (const stage of stages) {
      for (let batches = next(stage, read(), wanted); batches.length > 0; batches = next(stage, read(), wanted)) {
        const [first] = batches.flat();
        if (++looks > mostLooks && first) throw unsupported(file.source, first, 'its repairs undo each other');
        applied.push(...repair(file, batches, stage.ordered ?? false));
        changed = true;
      }
    }
  }
  return applied;
}

/** Stages for rules that build on each other: what stands before must have settled. */
export function inOrder<Scene>(rules: readonly Rule<Scene>[]): Stage<Scene>[] {
  return rules.map((rule) => ({ rules: [rule] }));
}

/** Of each rule the first problem to repair, and with it those of its kind that say that they do not depend on each other. */
function next<Scene>({ rules }: Stage<Scene>, scene: Scene, wanted: (problem: Problem) => boolean): Problem[][] {
  return rules.map((rule) => firstOf(rule(scene), wanted)).filter((batch) => batch.length > 0);
}

function firstOf(problems: Iterable<Problem>, wanted: (problem: Problem) => boolean): Problem[] {
  const batch: Problem[] = [];
  for (const problem of problems) {
    if (!problem.repair || !wanted(problem)) continue;
    if (!problem.independent) return batch.length > 0 ? batch : [problem];
    batch.push(problem);
  }
  return batch;
}

function repair(file: SettlingFile, batches: readonly (readonly Problem[])[], ordered: boolean): Applied[] {
  const { source } = file;
  const before = source.text;
  const applied: Applied[] = [];
  const edits: TextEdit[] = [];
  for (const batch of batches) {
    const others = [...edits];
    for (const problem of batch) {
      const made = edit(source, problem);
      if (made.alone && applied.length > 0) continue;
      if (made.edits.some((each) => edits.some((other) => collide(each, other)))) continue;
      if (!ordered && made.edits.some((each) => others.some((other) => touch(each, other)))) continue;
      edits.push(...made.edits);
      applied.push({ problem, at: originalPosition(source, problem), what: made.what });
      if (made.alone) return finish(file, before, edits, applied);
    }
  }
  return finish(file, before, edits, applied);
}

/** What a problem's repair does to the file's text as it stands. */
function edit(source: EditableText, problem: Problem): { what: string; alone: boolean; edits: TextEdit[] } {
  try {
    const made = problem.repair?.();
    return { what: made?.what ?? '', alone: made?.alone ?? false, edits: placeEdits(made?.edits ?? []) };
  } catch (error) {
    if (error instanceof RangeError) throw unsupported(source, problem, error.message);
    throw error;
  }
}

function finish(file: SettlingFile, before: string, edits: readonly TextEdit[], applied: Applied[]): Applied[] {
  const { source } = file;
  const [first] = applied;
  if (!first) return applied;
  try {
    source.apply(edits);
  } catch (error) {
    if (error instanceof RangeError) throw unsupported(source, first.problem, error.message);
    throw error;
  }
  if (source.text === before) throw unsupported(source, first.problem, 'the repair changes nothing');
  if (file.parts.some((part) => part.fault)) throw unsupported(source, first.problem, 'the result would not be YAML');
  return applied;
}

/** Whether two edits want the same characters; the second then waits for the next look. */
function collide(a: TextEdit, b: TextEdit): boolean {
  return a.start < b.end && b.start < a.end;
}

/** Whether two edits stand side by side, where their order would matter. */
function touch(a: TextEdit, b: TextEdit): boolean {
  return a.start <= b.end && b.start <= a.end;
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
