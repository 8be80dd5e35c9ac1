import { SallyportError } from '@sallyport/protocol';

/** Names that would let one customer's endpoint pass for something of the service itself, each with why. */
const RESERVED: Readonly<Record<string, string>> = {
  ...reserve('it names the service itself', ['www', 'api', 'app', 'console', 'dashboard', 'gateway', 'manager']),
  ...reserve('it names the service itself', [
    'sallyport',
    'public',
    'delegate',
    'delegates',
    'agent',
    'agents',
    'mtls',
  ]),
  ...reserve('it looks like the operator', [
    'admin',
    'administrator',
    'root',
    'operator',
    'support',
    'help',
    'security',
  ]),
  ...reserve('it looks like the operator', ['status', 'billing', 'login', 'auth', 'sso', 'account', 'accounts']),
  ...reserve('mail software looks for it', [
    'mail',
    'smtp',
    'imap',
    'pop',
    'mx',
    'autoconfig',
    'autodiscover',
    'mta-sts',
  ]),
  ...reserve('resolvers and proxies look for it', [
    'ns',
    'ns1',
    'ns2',
    'ns3',
    'ns4',
    'dns',
    'wpad',
    'isatap',
    'localhost',
  ]),
};

function reserve(reason: string, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, reason]));
}

const LABEL = /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;

/**
 * The fully qualified, canonical name for a prefix: one DNS label in front of the agent domain, all lower case. Throws
 * INVALID_REQUEST. Whether somebody has the name is not looked at.
 */
export function fqdnForPrefix(prefix: string | null | undefined, agentDomain: string): string {
  if (prefix === undefined || prefix === null || prefix.trim() === '') {
    throw new SallyportError('INVALID_REQUEST', 'No domain prefix was provided for the agent mTLS endpoint.');
  }
  const shown = prefix.length > 80 ? `${prefix.slice(0, 80)}…` : prefix;
  if (prefix.includes('.')) {
    throw new SallyportError('INVALID_REQUEST', `Provided domain prefix '${shown}' has more than one level.`, {
      remedy: `Send one DNS label: it becomes <prefix>.${agentDomain}.`,
    });
  }
  // Looked at before lower-casing, which turns the Kelvin sign into a plain k. "??--" is reserved for encodings
  // (RFC 5891 4.2.3.1): xn-- names can be made to look like another customer's.
  if (!LABEL.test(prefix) || prefix.slice(2, 4) === '--') {
    throw new SallyportError(
      'INVALID_REQUEST',
      `Provided domain prefix '${shown}' is invalid (full fqdn: '${shown}.${agentDomain}').`,
      { remedy: 'Use 1 to 63 letters, digits and hyphens, with a letter or digit at both ends.' },
    );
  }
  const label = prefix.toLowerCase();
  const reason = Object.hasOwn(RESERVED, label) ? RESERVED[label] : undefined;
  if (reason !== undefined) {
    throw new SallyportError('INVALID_REQUEST', `Provided domain prefix '${shown}' is reserved: ${reason}.`, {
      remedy: 'Choose another prefix.',
    });
  }
  return `${label}.${agentDomain}`;
}
