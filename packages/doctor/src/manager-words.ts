import type { Answer } from './network/exchange.ts';
import type { ManagerWords } from './seen.ts';

const LONGEST = 600;

/** The manager's own words in an answer; null when something else has answered. */
export function readWords({ status, text }: Pick<Answer, 'status' | 'text'>): ManagerWords | null {
  const body = asRecord(parsed(text));
  if (body === null) return null;
  const messages: readonly unknown[] = Array.isArray(body['responseMessages']) ? body['responseMessages'] : [];
  const last = asRecord(messages.at(-1)) ?? {};
  const code = textOf(body['code']) ?? textOf(last['code']);
  if (code === null) {
    const ours = status >= 200 && status < 300 && ('resource' in body || 'delegateTaskEvents' in body);
    return ours ? { code: null, message: '', remedy: '', reason: null } : null;
  }
  const details = asRecord(last['additionalInfo']) ?? {};
  const message = textOf(body['message']) ?? textOf(last['message']);
  if (message === null) return null;
  const remedy = textOf(body['remedy']) ?? '';
  return { code, message, remedy, reason: textOf(details['reason']) };
}

const CERTIFICATE_REFUSALS: ReadonlySet<string> = new Set([
  'NO_CLIENT_CERTIFICATE',
  'UNKNOWN_ISSUER',
  'INTERMEDIATE_MISSING',
  'WRONG_PURPOSE',
  'CA_AS_LEAF',
  'CERTIFICATE_REVOKED',
  'CERTIFICATE_DENIED',
  'CRL_EXPIRED',
  'IDENTITY_NOT_ALLOWED',
]);

/** The agent's call went through both doors: only the delegate that it names is not known. */
export const isAdmission = (code: string | null): boolean => code === null || code === 'DELEGATE_NOT_REGISTERED';

/** The first door: this client certificate, or none, is not let in. */
export const isCertificateRefusal = (code: string | null): boolean =>
  code !== null && (code.startsWith('CLIENT_CERTIFICATE_') || CERTIFICATE_REFUSALS.has(code));

export const isTokenRefusal = (code: string | null): boolean =>
  code === 'INVALID_TOKEN' || code === 'EXPIRED_TOKEN' || code === 'REVOKED_TOKEN';

/** An answer that an account which does not exist explains as well. */
export const isAboutAccount = (code: string | null): boolean =>
  code === 'INVALID_TOKEN' || code === 'INVALID_AGENT_MTLS_AUTHORITY';

/** The host name of the connection leads to no endpoint. */
export const isEndpointName = (code: string | null): boolean =>
  code === 'UNKNOWN_ENDPOINT' || code === 'MISDIRECTED_REQUEST';

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function asRecord(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value.slice(0, LONGEST) : null;
}
