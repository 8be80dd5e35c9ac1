import { TransportError, type TransportFailure } from './errors.ts';

interface Explanation {
  readonly failure: TransportFailure;
  readonly what: string;
  readonly remedy: string;
}

const NETWORK_REMEDY = 'Check that the manager is running, the port, and the firewalls in between.';
const PROTOCOL_REMEDY = 'Check scheme, host and port of the manager, and that both sides speak TLS 1.2 or newer.';

/** By the code of a Node.js or undici error. `{target}` stands for host:port. */
const BY_CODE: Readonly<Record<string, Explanation>> = {
  ENOTFOUND: {
    failure: 'NAME_NOT_FOUND',
    what: 'The name of {target} does not resolve.',
    remedy: 'Check the host name, and that the DNS of this machine knows it.',
  },
  EAI_AGAIN: {
    failure: 'NAME_NOT_FOUND',
    what: 'The DNS server did not answer the question for {target}.',
    remedy: 'Check the DNS settings and the network of this machine.',
  },
  ECONNREFUSED: {
    failure: 'CONNECTION_REFUSED',
    what: 'Nothing accepts connections at {target}.',
    remedy: NETWORK_REMEDY,
  },
  EHOSTUNREACH: { failure: 'UNREACHABLE', what: 'There is no way to {target}.', remedy: NETWORK_REMEDY },
  ENETUNREACH: { failure: 'UNREACHABLE', what: 'There is no way to {target}.', remedy: NETWORK_REMEDY },
  ETIMEDOUT: { failure: 'TIMEOUT', what: '{target} did not answer in time.', remedy: NETWORK_REMEDY },
  UND_ERR_CONNECT_TIMEOUT: { failure: 'TIMEOUT', what: '{target} did not answer in time.', remedy: NETWORK_REMEDY },
  UND_ERR_HEADERS_TIMEOUT: { failure: 'TIMEOUT', what: '{target} did not answer in time.', remedy: NETWORK_REMEDY },
  UND_ERR_BODY_TIMEOUT: { failure: 'TIMEOUT', what: 'The answer of {target} stalled.', remedy: NETWORK_REMEDY },
  UND_ERR_RES_EXCEEDED_MAX_SIZE: {
    failure: 'ANSWER_TOO_LARGE',
    what: 'The answer of {target} is larger than this client takes.',
    remedy: 'Check that the address is the manager; ask for less at a time.',
  },
  ERR_SSL_WRONG_VERSION_NUMBER: {
    failure: 'TLS_FAILED',
    what: '{target} does not speak TLS.',
    remedy: 'Check the port: this looks like a plain HTTP port, or a proxy that answers by itself.',
  },
  ERR_SSL_PACKET_LENGTH_TOO_LONG: {
    failure: 'TLS_FAILED',
    what: '{target} does not speak TLS.',
    remedy: 'Check the port: this looks like a plain HTTP port, or a proxy that answers by itself.',
  },
};

const LOST: Explanation = {
  failure: 'CONNECTION_LOST',
  what: '{target} closed the connection before it answered.',
  remedy: 'It may be restarting. If it stays so, look at the log of the manager and of proxies in between.',
};

const ALERTS: ReadonlyArray<readonly [pattern: RegExp, explanation: Explanation]> = [
  [
    /CERTIFICATE_REQUIRED/,
    {
      failure: 'TLS_ALERT',
      what: '{target} ended the handshake because no client certificate was sent.',
      remedy: 'Give the client certificate and its key.',
    },
  ],
  [
    /UNRECOGNIZED_NAME/,
    {
      failure: 'TLS_ALERT',
      what: '{target} does not serve that host name.',
      remedy: 'Check the host: it must be the fqdn of the endpoint.',
    },
  ],
  [
    /ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_EXPIRED|CERTIFICATE_REVOKED|CERTIFICATE_UNKNOWN|UNSUPPORTED_CERTIFICATE|ACCESS_DENIED)/,
    {
      failure: 'TLS_ALERT',
      what: '{target} refused the client certificate during the handshake ({code}).',
      remedy: 'Check that a CA of the endpoint issued it and that it is valid now.',
    },
  ],
  [
    /ALERT/,
    { failure: 'TLS_ALERT', what: '{target} ended the TLS handshake with an alert ({code}).', remedy: PROTOCOL_REMEDY },
  ],
  [/^ERR_SSL_/, { failure: 'TLS_FAILED', what: 'TLS with {target} failed ({code}).', remedy: PROTOCOL_REMEDY }],
];

/** Puts an error of a socket or of the HTTP client into words; never copies its text, which may hold request data. */
export function explainTransportFailure(error: unknown, target: string): TransportError {
  if (error instanceof TransportError) return error;
  if (error instanceof Error && error.name === 'TimeoutError')
    return build(BY_CODE['ETIMEDOUT'] ?? LOST, target, error);
  const code = codeOf(error);
  const explanation = BY_CODE[code] ?? ALERTS.find(([pattern]) => pattern.test(code))?.[1] ?? LOST;
  return build(explanation, target, error, code);
}

function build(explanation: Explanation, target: string, cause: unknown, code = ''): TransportError {
  const message = explanation.what.replace('{target}', target).replace('{code}', code);
  return new TransportError(explanation.failure, message, explanation.remedy, cause);
}

/** The most telling code: an AggregateError (several addresses tried) hides it in its parts. */
function codeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return '';
}
