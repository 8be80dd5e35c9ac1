import { mountDirectory } from './delegate-variables.ts';

/** A path inside a container as its runtime resolves it: `//etc/x/../mtls/` is /etc/mtls, and so is `etc/mtls`. */
export function containerPath(path: string): string {
  if (path === '') return '';
  const kept: string[] = [];
  for (const step of path.split('/')) {
    if (step === '..') kept.pop();
    else if (step !== '' && step !== '.') kept.push(step);
  }
  return `/${kept.join('/')}`;
}

/** Whether a path is /etc/mtls or below it, however it is written. */
export function inMountDirectory(path: string): boolean {
  return `${containerPath(path)}/`.startsWith(`${mountDirectory}/`);
}
