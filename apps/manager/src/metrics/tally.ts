/**
 * Counts by a closed set of names, kept where things happen and read when somebody scrapes. The names are a type and not
 * a text, so that nothing that a client sends (a name, an account, a path) can become a label: whoever chooses labels
 * chooses how much memory we and the metrics server use.
 */
export class Tally<Name extends string> {
  readonly #counts = new Map<Name, number>();

  add(name: Name): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  of(name: Name): number {
    return this.#counts.get(name) ?? 0;
  }

  entries(): readonly (readonly [Name, number])[] {
    return [...this.#counts];
  }
}
