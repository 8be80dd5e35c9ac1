/** Something wrong with one variable. */
export interface Problem {
  readonly what: string;
  readonly remedy: string;
}

/** Where a manifest takes a variable from whose value it does not hold; null when it says nothing of it. */
export type SourceOf = (variable: string) => string | null;

/** A variable without a value: not set, or set by something that was not given. */
export function missing(name: string, remedy: string, sourceOf: SourceOf): Problem {
  const source = sourceOf(name);
  if (source === null) return { what: `${name} is not set.`, remedy };
  const add = /^the (?:Secret|ConfigMap) /.test(source) ? `, or add ${source} to the manifest` : '';
  return {
    what: `${name} comes from ${source}, which is not in the manifest.`,
    remedy: `Give its value with --env-file, a file with the line ${name}=...${add}.`,
  };
}
