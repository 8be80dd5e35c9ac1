import { Resolver } from 'node:dns/promises';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import { isAllowed, type ReceiverRules } from './receiver-address.ts';

export interface SenderOptions {
  readonly rules: ReceiverRules;
  /** PEM of CA certificates that receivers' certificates may come from, besides the public ones. */
  readonly extraCa: string | null;
  readonly timeLimitMs?: number;
  /** Addresses of a name; asks DNS when not given. */
  readonly resolve?: (name: string) => Promise<readonly string[]>;
}

export interface Message {
  readonly url: string;
  /** The first attempt is 1. */
  readonly attempt: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** `error` is null for a success, otherwise it is for the account: it tells nothing of what is inside our network. */
export interface SendResult {
  readonly status: number | null;
  readonly error: string | null;
  readonly durationMs: number;
}

/** Standard Webhooks recommends 15 to 30 seconds; a receiver that takes a message in needs none of them. */
const TIME_LIMIT_MS = 10_000;
/** Of an answer's body, which nobody reads: it is taken in so that a receiver which writes it is not cut off. */
const MOST_BODY_BYTES = 16 * 1024;
const DNS_TIMEOUT_MS = 2_000;

/** One attempt to deliver a message: resolve, check, connect to the checked address, send, look at the status. */
export class Sender {
  readonly #rules: ReceiverRules;
  readonly #timeLimitMs: number;
  readonly #resolve: (name: string) => Promise<readonly string[]>;
  readonly #tls: SecureContext;

  constructor({ rules, extraCa, timeLimitMs = TIME_LIMIT_MS, resolve = askDns() }: SenderOptions) {
    this.#rules = rules;
    this.#timeLimitMs = timeLimitMs;
    this.#resolve = resolve;
    // Once: reading the public CAs takes milliseconds.
    this.#tls = createSecureContext(
      extraCa === null ? {} : { ca: [...getCACertificates('default'), extraCa], minVersion: 'TLSv1.2' },
    );
  }

  /** Never rejects, but with the reason of `signal`. */
  async send(message: Message, signal: AbortSignal): Promise<SendResult> {
    const started = performance.now();
    const limit = AbortSignal.timeout(this.#timeLimitMs);
    const either = AbortSignal.any([signal, limit]);
    const result = (status: number | null, error: string | null): SendResult => ({
      ...{ status, error },
      durationMs: Math.round(performance.now() - started),
    });
    try {
      const url = new URL(message.url);
      const address = await aborting(either, this.#addressOf(url, message.attempt));
      if (address === null) return result(null, `${url.hostname} has no address that webhooks may connect to`);
      const status = await this.#post(url, address, message, either);
      return result(status, problemOf(status));
    } catch (error) {
      signal.throwIfAborted();
      if (limit.aborted) return result(null, `no answer within ${this.#timeLimitMs / 1000} seconds`);
      return result(null, reasonOf(error));
    }
  }

  /**
   * A name can have one address when it is checked and another one when it is connected to (DNS rebinding): so it is
   * resolved here, once for each attempt, and the connection is made to the address that was checked.
   */
  async #addressOf({ hostname, protocol }: URL, attempt: number): Promise<string | null> {
    const host = hostname.replace(/^\[|\]$/g, '');
    const found = isIP(host) !== 0 ? [host] : await this.#resolve(host.replace(/\.$/, ''));
    const allowed = found.filter((address) => isAllowed(address, protocol, this.#rules));
    return allowed[(attempt - 1) % Math.max(allowed.length, 1)] ?? null;
  }

  #post(url: URL, address: string, { headers, body }: Message, signal: AbortSignal): Promise<number> {
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const payload = Buffer.from(body);
    return new Promise((resolve, reject) => {
      const options = {
        ...{ method: 'POST', host: address, path: `${url.pathname}${url.search}`, signal },
        port: url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port),
        // A connection for each attempt: one that is kept would not be checked again.
        agent: false,
        headers: {
          ...headers,
          host: url.host,
          'content-type': 'application/json',
          'content-length': payload.length,
          'user-agent': 'Sallyport-Webhooks',
        },
      } as const;
      // Explicit: an environment variable could otherwise turn the verification off.
      const servername = isIP(host) === 0 ? host.replace(/\.$/, '') : '';
      const overTls = { ...options, secureContext: this.#tls, rejectUnauthorized: true, servername };
      const request = url.protocol === 'https:' ? httpsRequest(overTls) : httpRequest(options);
      let isAnswered = false;
      request.on('error', (error) => {
        if (!isAnswered) reject(error);
      });
      // An answer that asks to change the protocol ends without a response and without an error.
      request.on('close', () => {
        if (!isAnswered) reject(new Error('closed'));
      });
      request.on('response', (response) => {
        isAnswered = true;
        // However the body ends, the status was the answer.
        const answered = () => resolve(response.statusCode ?? 0);
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > MOST_BODY_BYTES) response.destroy();
        });
        response.on('error', answered);
        response.on('close', answered);
      });
      request.end(payload);
    });
  }
}

/**
 * By DNS alone, and not through the system's resolver: that one works in a pool of four threads, which names that are
 * slow to resolve would fill, and with it everything else that waits for a thread.
 */
function askDns(): (name: string) => Promise<readonly string[]> {
  const resolver = new Resolver({ timeout: DNS_TIMEOUT_MS, tries: 2 });
  return async (name) => {
    if (name === 'localhost' || name.endsWith('.localhost')) return ['127.0.0.1', '::1'];
    const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
    return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  };
}

function aborting<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

function problemOf(status: number): string | null {
  if (status >= 200 && status < 300) return null;
  if (status >= 300 && status < 400) return `it answered ${status}; redirects are not followed, name the final URL`;
  return `it answered ${status}`;
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was closed before an answer came',
  ETIMEDOUT: 'the connection could not be made in time',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate's CA is not trusted",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate's CA is not trusted, or an intermediate certificate is missing",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its certificate's CA is not trusted",
};

/** Codes only: messages of errors may repeat what the receiver wrote. */
function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'UNKNOWN';
  return REASONS[code] ?? `the request failed (${code})`;
}
