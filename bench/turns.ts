/** Something that is measured in turns with others. `once` does one round and resolves with the cost of one operation. */
export interface Contender {
  readonly name: string;
  once(): Promise<number>;
}

const WARM_UP_ROUNDS = 5;

/**
 * Measures everybody once a round, in an order that turns by one place each round: A B C, B C A, ... Whatever slows the
 * machine down for some seconds slows all of them, and nobody always comes after the same neighbour. Some rounds go
 * before, uncounted: a server runs for weeks, and V8 needs some ten thousand requests until it has compiled all that is
 * hot. Resolves with each contender's costs by round.
 */
export async function inTurns(
  contenders: readonly Contender[],
  rounds: number,
  say: (text: string) => void,
): Promise<ReadonlyMap<string, readonly number[]>> {
  const costs = new Map(contenders.map(({ name }) => [name, [] as number[]]));
  for (let round = -WARM_UP_ROUNDS; round < rounds; round += 1) {
    say(round < 0 ? 'warming up' : `round ${round + 1} of ${rounds}`);
    for (let turn = 0; turn < contenders.length; turn += 1) {
      const contender = contenders[(turn + Math.max(round, 0)) % contenders.length];
      if (contender === undefined) continue;
      const cost = await contender.once();
      if (round >= 0) costs.get(contender.name)?.push(cost);
    }
  }
  return costs;
}
