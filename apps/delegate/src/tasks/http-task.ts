import { createSecureContext } from 'node:tls';
import { explainTransportFailure, lookupWithLoopback, type ProxySettings, proxyFor } from '@sallyport/client';
import { HTTP_TASK, type HttpResult } from '@sallyport/protocol';
import { HttpTaskData } from '@sallyport/protocol/schemas';
import { Check } from 'typebox/schema';
import { Agent, type Dispatcher, ProxyAgent } from 'undici';
import { type TaskHandler, TaskInterruption } from './task-handler.ts';

export interface HttpTaskSettings {
  /** Loaded at the first https request: most delegates never make one. */
  readonly trustedRoots: () => Promise<readonly string[]>;
  readonly proxy: ProxySettings | null;
  readonly bodyLimitBytes: number;
}

const CONNECT_TIMEOUT_MS = 10_000;

/**
 * HTTP_REQUEST: sends one request from the delegate's network. Any status is a success; redirects are not followed.
 * The delegate's client certificate is never used: it is for the manager alone.
 */
export function httpTaskHandler(settings: HttpTaskSettings): TaskHandler & { close(): Promise<void> } {
  const dispatchers = new Dispatchers(settings);
  return {
    type: HTTP_TASK,
    async run(data, { signal }) {
      if (!Check(HttpTaskData, data))
        throw new Error(`The data of an ${HTTP_TASK} task must be { "url": "https://..." }.`);
      const url = URL.parse(data.url);
      if (url === null) throw new Error('The url does not parse.');
      const startedAt = performance.now();
      try {
        const dispatcher = await dispatchers.for(url);
        const { statusCode, headers, body } = await dispatcher.request({
          origin: url.origin,
          path: `${url.pathname}${url.search}`,
          method: (data.method ?? 'GET') as Dispatcher.HttpMethod,
          headers: data.headers ?? {},
          body: data.body ?? null,
          signal,
        });
        const { text, truncated } = await readLimited(body, settings.bodyLimitBytes);
        const durationMs = Math.round(performance.now() - startedAt);
        const result: HttpResult = { status: statusCode, headers: flat(headers), body: text, truncated, durationMs };
        return { data: result, error: null };
      } catch (error) {
        if (signal.reason instanceof TaskInterruption) return { data: null, error: signal.reason.message };
        if (error instanceof Error && 'code' in error && String(error.code).startsWith('UND_ERR_INVALID')) throw error;
        const { message, remedy } = explainTransportFailure(error, url.host);
        throw new Error(`${message} ${remedy}`);
      }
    },
    close: () => dispatchers.close(),
  };
}

/** One for direct connections and one for those through the proxy; both verify servers with the same roots. */
class Dispatchers {
  readonly #settings: HttpTaskSettings;
  #direct: Promise<Dispatcher> | null = null;
  #proxied: Promise<Dispatcher> | null = null;

  constructor(settings: HttpTaskSettings) {
    this.#settings = settings;
  }

  for(url: URL): Promise<Dispatcher> {
    const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
    const proxy = proxyFor(this.#settings.proxy, url.hostname.replace(/^\[|\]$/g, ''), port);
    if (proxy === null) {
      this.#direct ??= this.#tls().then((tls) => new Agent({ connect: tls, allowH2: false }));
      return this.#direct;
    }
    this.#proxied ??= this.#tls().then(
      (tls) =>
        new ProxyAgent({
          uri: `${proxy.scheme}://${proxy.host.includes(':') ? `[${proxy.host}]` : proxy.host}:${proxy.port}`,
          ...(proxy.authorization === null ? {} : { token: proxy.authorization.reveal() }),
          connect: tls,
          requestTls: tls,
          proxyTls: tls,
          allowH2: false,
        }),
    );
    return this.#proxied;
  }

  async close(): Promise<void> {
    const dispatchers = await Promise.all([this.#direct, this.#proxied]);
    await Promise.all(dispatchers.map((dispatcher) => dispatcher?.destroy()));
  }

  async #tls() {
    const secureContext = createSecureContext({ ca: [...(await this.#settings.trustedRoots())] });
    return { secureContext, lookup: lookupWithLoopback, timeout: CONNECT_TIMEOUT_MS };
  }
}

/** Leaving the loop early cuts the connection: the rest of a long body is not worth reading. */
async function readLimited(body: AsyncIterable<Buffer>, limit: number): Promise<{ text: string; truncated: boolean }> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > limit) break;
  }
  return { text: Buffer.concat(chunks).subarray(0, limit).toString(), truncated: size > limit };
}

function flat(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const entries = Object.entries(headers).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : String(value)]),
  );
}
