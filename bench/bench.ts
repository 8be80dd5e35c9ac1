import type { Certificates } from './certificates.ts';
import type { Children } from './process/children.ts';
import type { Comparison } from './report.ts';

/** What every case is given. */
export interface Bench {
  readonly children: Children;
  readonly certificates: Certificates;
  /** A folder of its own, removed at the end. */
  readonly folder: string;
  /** Fewer rounds and smaller numbers: to see that everything runs, not to quote. */
  readonly quick: boolean;
  /** Says what is going on, on standard error. */
  say(text: string): void;
}

export interface Case {
  readonly name: string;
  readonly title: string;
  /** Rejects when something that is installed could not be measured. */
  run(bench: Bench): Promise<Comparison[]>;
}
