import type { Environment } from './environment-reader.ts';

/**
 * What a task's process must not find in its environment: the delegate's own credentials, and those of programs that may
 * have started the delegate. A script that prints its environment would put them into a task's stored output.
 * This protects against accidents. A task runs as the delegate's user, and who may create tasks may read what it reads.
 */
const WITHHELD: ReadonlySet<string> = new Set([
  'ACCOUNT_SECRET',
  'DELEGATE_CLIENT_CERTIFICATE_KEY_PATH',
  'DELEGATE_TOKEN',
  'PROXY_PASSWORD',
  'UPGRADER_TOKEN',
]);
const WITHHELD_PATTERN = /^SALLYPORT_.*(KEY|TOKEN|SECRET|PASSWORD)/;
const PROXY_URL = /^(https?|all|ftp)_proxy$/i;

/** The environment for a task's process: the delegate's without credentials, those inside proxy URLs included. */
export function childEnvironment(environment: Environment): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined || WITHHELD.has(name) || WITHHELD_PATTERN.test(name)) continue;
    kept[name] = PROXY_URL.test(name) ? value.replace(/\/\/[^/]*@/, '//') : value;
  }
  return kept;
}
