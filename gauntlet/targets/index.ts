import type { Children } from '../../bench/process/children.ts';
import type { Target } from '../gauntlet.ts';
import { CaddyTarget } from './caddy.ts';
import { HAProxyTarget } from './haproxy.ts';
import { NginxTarget } from './nginx.ts';
import { SallyportTarget } from './sallyport.ts';
import type { ServerIdentity } from './server-identity.ts';

export interface TargetKind {
  readonly key: string;
  /** Null when the program is not installed. */
  start(children: Children, server: ServerIdentity, folder: string): Promise<Target | null>;
}

export const TARGETS: readonly TargetKind[] = [
  { key: 'sallyport', start: (children, server, folder) => SallyportTarget.start(children, server, folder) },
  { key: 'nginx', start: (children, server, folder) => NginxTarget.start(children, server, folder) },
  { key: 'haproxy', start: (children, server, folder) => HAProxyTarget.start(children, server, folder) },
  { key: 'caddy', start: (children, server, folder) => CaddyTarget.start(children, server, folder) },
];
