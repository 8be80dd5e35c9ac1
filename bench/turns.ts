/** Something that is measured in turns with others. `once` does one round and resolves with the cost of one operation. */
export interface Contender {
  readonly name: string;
  once(): Promise<number>;
}

export interface Rounds {
  /** Go before, uncounted: a server runs for weeks, and V8 needs some ten thousand requests until what is hot is compiled. */
  readonly warmUp: number;
  readonly counted: number;
}

/**
 * Measures everybody once a round, in an order that turns by one place each round: A B C, B C A, ... Whatever slows the
 * machine down for some seconds slows all of them, and nobody always comes after the same neighbour. Resolves with each
 * contender's costs by round.
 */
export async function inTurns(
  contenders: readonly Contender[],
  { warmUp, counted }: Rounds,
  say: (text: string) => void,
): Promise<ReadonlyMap<string, readonly number[]>> {
  const costs = new Map(contenders.map(({ name }) => [name, [] as number[]]));
  for (let round = -warmUp; round < counted; round += 1) {
    say(round < 0 ? 'warming up' : `round ${round + 1} of ${counted}`);
    for (let turn = 0; turn < contenders.length; turn += 1) {
      const contender = contenders[(turn + Math.max(round, 0)) % contenders.length];
      if (contender === undefined) continue;
      const cost = await contender.once();
      if (round >= 0) costs.get(contender.name)?.push(cost);
    }
  }
  return costs;
}
