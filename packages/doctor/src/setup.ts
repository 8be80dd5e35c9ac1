import { isIP } from 'node:net';
import { contentForPath, holdsFileContent, type ProxySettings, readProxySettings, Secret } from '@sallyport/client';
import { delegateTokensIn, normaliseDelegateToken } from '@sallyport/protocol';
import type { Environment } from './environment.ts';
import { missing, type Problem, type SourceOf } from './missing-variable.ts';
import { readToken, type TokenReading } from './token-form.ts';

export type { Problem } from './missing-variable.ts';

export interface Address {
  /** `https://host[:port][/base]`, without a slash at the end. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Empty, or the path that everything lies below. */
  readonly basePath: string;
}

/** What the environment says about the connection. Values that are wrong are null, and named in `problems`. */
export interface Setup {
  readonly manager: Address | null;
  readonly logService: Address | null;
  readonly accountId: string | null;
  readonly name: string;
  readonly token: TokenReading;
  readonly clientCertificate: { readonly certificatePath: string; readonly keyPath: string } | null;
  readonly extraCaFile: string | null;
  /** The way to the manager; null for a direct one. */
  readonly proxy: ProxySettings | null;
  readonly pollOnly: boolean;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
  /** What must not be seen in any output. */
  readonly secrets: readonly Secret[];
}

const CERTIFICATE = 'DELEGATE_CLIENT_CERTIFICATE_PATH';
const KEY = 'DELEGATE_CLIENT_CERTIFICATE_KEY_PATH';
const EXTRA_CA = 'SALLYPORT_EXTRA_CA_FILE';
const MANAGER = 'MANAGER_HOST_AND_PORT';

const NOWHERE = (): null => null;

/**
 * Reads the variables that a delegate's connection depends on, as the delegate does; the others are its own matter.
 * `sourceOf` tells where a manifest takes a variable from whose value it does not hold.
 */
export function readSetup(environment: Environment, sourceOf: SourceOf = NOWHERE): Setup {
  const problems: Problem[] = [];
  const warnings: Problem[] = misspelt(environment);
  const text = (name: string): string | null => {
    const value = environment[name]?.trim();
    if (value === undefined || value === '') return null;
    if (!value.startsWith('PUT_YOUR_')) return value;
    problems.push({ what: `${name} still holds the placeholder ${value}.`, remedy: `Set ${name} to your own value.` });
    return null;
  };
  // A key in the place of its path would be shown by every message that names the path.
  const path = (name: string): string | null => {
    const value = text(name);
    if (value === null || !holdsFileContent(value)) return value;
    problems.push(contentForPath(name, value));
    return null;
  };
  const address = (name: string): Address | null => {
    const value = text(name);
    const read = value === null ? null : parseAddress(name, value);
    if (read !== null && 'what' in read) problems.push(read);
    return read === null || 'what' in read ? null : read;
  };
  const required = <T>(name: string, value: T | null, what: string): T | null => {
    const told = problems.some((problem) => problem.what.startsWith(name));
    if (value === null && !told) problems.push(missing(name, `Set it to ${what}.`, sourceOf));
    return value;
  };

  const manager = required(MANAGER, address(MANAGER), 'the https:// URL of your mTLS endpoint, or of the manager');
  const accountId = required('ACCOUNT_ID', text('ACCOUNT_ID'), 'the identifier of your account');
  const token = readToken(environment, sourceOf);
  const swapped = accountId === null ? null : tokenAsAccount(accountId, token);
  if (swapped !== null) problems.push(swapped);
  const goodAccount = accountId !== null && swapped === null && /^[A-Za-z0-9_-]{1,64}$/.test(accountId);
  if (accountId !== null && !goodAccount && swapped === null) {
    const what = 'ACCOUNT_ID is not an account identifier (letters, digits, "-" and "_", at most 64).';
    problems.push({ what, remedy: 'Set it to the identifier that "sallyport account list" or the console shows.' });
  }
  const name = required('DELEGATE_NAME', text('DELEGATE_NAME'), 'a name for this delegate');
  const clientCertificate = certificatePaths(path(CERTIFICATE), path(KEY), problems);
  const { proxy, problems: proxyProblems } = readProxySettings(environment);
  for (const what of proxyProblems) problems.push({ what, remedy: 'Correct the variable that is named.' });
  const throughProxy = boolean('PROXY_MANAGER', text('PROXY_MANAGER'), true, problems);
  const pollOnly = boolean('POLL_FOR_TASKS', text('POLL_FOR_TASKS'), false, problems);
  if (text('TRUST_ALL_CERTIFICATES')?.toLowerCase() === 'true') {
    const what = 'TRUST_ALL_CERTIFICATES is not honoured: the certificate of the manager is always verified.';
    warnings.push({ what, remedy: 'Remove it, and give the CA of the manager in SALLYPORT_EXTRA_CA_FILE.' });
  }
  const logService = address('LOG_STREAMING_SERVICE_URL');
  return {
    manager,
    logService: logService ?? (manager === null ? null : below(manager, '/log-service')),
    accountId: goodAccount ? accountId : null,
    name: name ?? 'doctor',
    token,
    clientCertificate,
    extraCaFile: path(EXTRA_CA),
    proxy: throughProxy ? proxy : null,
    pollOnly,
    problems,
    warnings,
    secrets: secretsOf(environment),
  };
}

/** host:port as URLs write it. */
export function targetOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** True when no server name can be sent: TLS names hosts, never addresses (RFC 6066 section 3). */
export const isAddressLiteral = (host: string): boolean => isIP(host) !== 0;

function parseAddress(name: string, value: string): Address | Problem {
  const url = URL.parse(value);
  if (url === null || url.protocol !== 'https:') {
    const scheme =
      url !== null && url.protocol === 'http:' ? ' It begins with http://, and nothing is sent in clear.' : '';
    const remedy = 'Give scheme, host and port, such as https://acme.agent.example.com:8443.';
    return { what: `${name} is not an https:// URL.${scheme}`, remedy };
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    const what = `${name} holds a user, a password, a query or a fragment.`;
    return { what, remedy: 'Give scheme, host, port and path only.' };
  }
  const basePath = url.pathname.replace(/\/+$/, '');
  const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  return { url: `${url.origin}${basePath}`, host, port: url.port === '' ? 443 : Number(url.port), basePath };
}

function below(address: Address, path: string): Address {
  return { ...address, url: `${address.url}${path}`, basePath: `${address.basePath}${path}` };
}

/** One path without the other is a fault: going on would mean to connect without a certificate, unasked. */
function certificatePaths(
  certificatePath: string | null,
  keyPath: string | null,
  problems: Problem[],
): Setup['clientCertificate'] {
  if (certificatePath !== null && keyPath !== null) return { certificatePath, keyPath };
  if (certificatePath === null && keyPath === null) return null;
  if (problems.some(({ what }) => what.startsWith('DELEGATE_CLIENT_CERTIFICATE_'))) return null;
  const [missing, present] = certificatePath === null ? [CERTIFICATE, KEY] : [KEY, CERTIFICATE];
  problems.push({ what: `${missing} is not set, but ${present} is.`, remedy: 'Set both, or none for no mTLS.' });
  return null;
}

/** The token in the place of the account: it would be sent, stored and shown as a name. Null when it is none. */
function tokenAsAccount(accountId: string, token: TokenReading): Problem | null {
  const hex = normaliseDelegateToken(accountId);
  if (hex === null) return null;
  if (token.usable) {
    // 32 hex characters may be an account identifier: only the token itself is certainly none.
    if (token.hex.reveal() !== hex && /^[0-9a-f]+$/i.test(accountId)) return null;
    const what = 'ACCOUNT_ID holds a delegate token in the place of the account identifier.';
    return { what, remedy: 'Set ACCOUNT_ID to the identifier that "sallyport account list" or the console shows.' };
  }
  return {
    what: `ACCOUNT_ID and ${token.variable} are swapped: ACCOUNT_ID holds a delegate token, and ${token.variable} holds none.`,
    remedy: `Swap the two values, and revoke the token if it has been shown or logged as an account identifier.`,
  };
}

function boolean(name: string, text: string | null, fallback: boolean, problems: Problem[]): boolean {
  const value = text?.toLowerCase();
  if (value === undefined) return fallback;
  if (value !== 'true' && value !== 'false') {
    problems.push({ what: `${name} is neither true nor false.`, remedy: `Set ${name} to true or false.` });
    return fallback;
  }
  return value === 'true';
}

/** A certificate path under another name would show only as a delegate without mTLS. */
function misspelt(environment: Environment): Problem[] {
  const known = new Set([CERTIFICATE, KEY]);
  return Object.keys(environment)
    .filter((name) => /^DELEGATE_\w*(CERT|MTLS|CLIENT_KEY)/.test(name) && !known.has(name))
    .map((name) => ({
      what: `${name} is set, but nothing reads it.`,
      remedy: `The names are ${CERTIFICATE} and ${KEY}.`,
    }));
}

const SECRET_NAMES = ['DELEGATE_TOKEN', 'ACCOUNT_SECRET', 'PROXY_PASSWORD', 'UPGRADER_TOKEN', 'SALLYPORT_API_KEY'];
const PROXY_URLS = ['HTTPS_PROXY', 'https_proxy'];

function secretsOf(environment: Environment): Secret[] {
  const values = SECRET_NAMES.map((name) => environment[name]?.trim() ?? '');
  for (const name of PROXY_URLS) {
    const password = URL.parse(environment[name] ?? '')?.password ?? '';
    values.push(password, safelyDecoded(password));
  }
  for (const value of Object.values(environment)) {
    if (value === undefined) continue;
    for (const token of delegateTokensIn(value)) values.push(token, token.toLowerCase());
  }
  for (const name of [CERTIFICATE, KEY, EXTRA_CA]) {
    const value = environment[name]?.trim() ?? '';
    // Whole, and line by line: the text of a manifest wraps it in other places.
    if (holdsFileContent(value)) values.push(value, ...value.split(/\r?\n/).filter(isKeyMaterial));
  }
  return [...new Set(values.filter((value) => value !== ''))].map((value) => new Secret(value));
}

const isKeyMaterial = (line: string): boolean => /^[A-Za-z0-9+/=]{16,}$/.test(line.trim());

function safelyDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
