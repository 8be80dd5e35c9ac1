import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** Forwards connections from a fixed port of loopback, so that a test can cut them, and move what is behind it. */
export class Relay {
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  /** Null: connections are closed at once, as if nothing were there. */
  upstreamPort: number | null;

  private constructor(upstreamPort: number) {
    this.upstreamPort = upstreamPort;
    this.#server = createServer((client) => this.#forward(client));
  }

  static async start(upstreamPort: number): Promise<Relay> {
    const relay = new Relay(upstreamPort);
    relay.#server.listen(0, '127.0.0.1');
    await once(relay.#server, 'listening');
    return relay;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** True: answers are lost on their way, requests arrive. */
  muted = false;

  /** Connections made since the start. */
  connections = 0;

  cut(): void {
    for (const socket of this.#open) socket.destroy();
  }

  close(): void {
    this.cut();
    this.#server.close();
  }

  #forward(client: Socket): void {
    this.connections += 1;
    this.#keep(client);
    if (this.upstreamPort === null) {
      client.destroy();
      return;
    }
    const upstream = connect(this.upstreamPort, '127.0.0.1');
    this.#keep(upstream);
    client.pipe(upstream);
    upstream.on('data', (chunk) => this.muted || client.write(chunk));
    upstream.on('end', () => client.end());
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  }

  #keep(socket: Socket): void {
    this.#open.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#open.delete(socket));
  }
}
