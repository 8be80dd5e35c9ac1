import { createHmac, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import type { TestContext } from 'node:test';
import { eventually } from '@sallyport/dev-env';
import type { WebhookPayload } from '@sallyport/protocol';

export interface Received {
  readonly id: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  readonly payload: WebhookPayload;
  /** Connections that were open at once when it came. */
  readonly atOnce: number;
}

type Answer = (response: ServerResponse, received: Received) => void;

/** Somebody's server on loopback that webhooks are sent to. */
export class WebhookReceiver {
  readonly received: Received[] = [];
  /** What it answers; 200 at first. */
  answer: Answer = (response) => void response.end();
  readonly #server: Server;
  readonly #scheme: string;
  #port = 0;
  #open = 0;
  #releasePort: (() => Promise<void>) | null = null;

  private constructor(tls: { readonly certificatePem: string; readonly privateKeyPem: string } | null) {
    const listener = (request: IncomingMessage, response: ServerResponse) => void this.#take(request, response);
    this.#scheme = tls === null ? 'http' : 'https';
    this.#server =
      tls === null
        ? createServer(listener)
        : createTlsServer({ cert: tls.certificatePem, key: tls.privateKeyPem }, listener);
  }

  static async start(
    t: TestContext,
    tls: { readonly certificatePem: string; readonly privateKeyPem: string } | null = null,
  ): Promise<WebhookReceiver> {
    const receiver = new WebhookReceiver(tls);
    await receiver.#listen(0);
    t.after(async () => {
      await receiver.#releasePort?.();
      await receiver.#close();
    });
    return receiver;
  }

  url(host = '127.0.0.1', path = '/hook'): string {
    return `${this.#scheme}://${host}:${this.#port}${path}`;
  }

  get port(): number {
    return this.#port;
  }

  /** Refuses connections until `resume`; the port is nobody else's meanwhile. */
  async stop(): Promise<void> {
    await this.#close();
    this.#releasePort = await holdPort(this.#port);
  }

  async resume(): Promise<void> {
    await this.#releasePort?.();
    this.#releasePort = null;
    await this.#listen(this.#port);
  }

  of(type: string): Received[] {
    return this.received.filter(({ payload }) => payload.type === type);
  }

  /** The first message of the type, or the one of that number. */
  async next(type: string, number = 1): Promise<Received> {
    return eventually(`${number} x ${type}`, () => this.of(type)[number - 1]);
  }

  async #close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #listen(port: number): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#open += 1;
    response.on('close', () => {
      this.#open -= 1;
    });
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString('utf8');
    const { headers, url: path = '' } = request;
    const payload = JSON.parse(body) as WebhookPayload;
    const received = { id: String(headers['webhook-id']), path, headers, body, payload, atOnce: this.#open };
    this.received.push(received);
    this.answer(response, received);
  }
}

/**
 * Keeps a port that nobody listens on from everybody who asks for a free one, as the local end of a connection: who
 * connects to it is refused. Resolves with what gives it free.
 */
async function holdPort(port: number): Promise<() => Promise<void>> {
  const peer = createTcpServer((socket) => socket.on('error', () => socket.destroy()));
  peer.listen(0, '127.0.0.1');
  await once(peer, 'listening');
  const socket = connect({
    ...{ host: '127.0.0.1', port: (peer.address() as AddressInfo).port },
    ...{ localAddress: '127.0.0.1', localPort: port },
  });
  await once(socket, 'connect');
  return async () => {
    const closed = once(socket, 'close');
    socket.resetAndDestroy();
    await closed;
    peer.close();
  };
}

/** As a receiver checks it: Standard Webhooks, by hand. */
export function isSigned({ headers, body }: Pick<Received, 'headers' | 'body'>, secret: string): boolean {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
  const expected = createHmac('sha256', key).update(signed).digest();
  const [version, given = ''] = String(headers['webhook-signature']).split(',');
  const bytes = Buffer.from(given, 'base64');
  return version === 'v1' && bytes.length === expected.length && timingSafeEqual(bytes, expected);
}
