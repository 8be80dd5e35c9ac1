import type { Children } from '../../bench/process/children.ts';
import type { Target } from '../gauntlet.ts';
import { SallyportTarget } from './sallyport.ts';
import type { ServerIdentity } from './server-identity.ts';

export interface TargetKind {
  readonly key: string;
  /** Null when the program is not installed. */
  start(children: Children, server: ServerIdentity, folder: string): Promise<Target | null>;
}

export const TARGETS: readonly TargetKind[] = [
  { key: 'sallyport', start: (children, server, folder) => SallyportTarget.start(children, server, folder) },
];
