import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Cuts the first flight of a client, its ClientHello, into the pieces that reach the server one by one. */
export type Cut = (firstFlight: Buffer) => readonly Buffer[];

export interface SplittingProxy {
  readonly port: number;
  /** Applies to connections made from now on. */
  cut: Cut;
  close(): Promise<void>;
}

/**
 * A TCP proxy on loopback between a TLS client and a server in this process, that hands over the ClientHello in pieces
 * as a network may: every piece is a segment of its own, and the server has read it before the next one comes.
 */
export async function splittingProxy(targetPort: number): Promise<SplittingProxy> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ host: '127.0.0.1', port: targetPort, noDelay: true });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      socket.on('error', () => socket.destroy());
    }
    upstream.pipe(client);
    void handOver(client, upstream, proxy.cut);
  });
  const proxy: SplittingProxy = {
    port: 0,
    cut: (firstFlight) => [firstFlight],
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(proxy, { port: (server.address() as AddressInfo).port });
}

async function handOver(client: Socket, upstream: Socket, cut: Cut): Promise<void> {
  let hello = Buffer.alloc(0);
  while (hello.length < 5 || hello.length < 5 + hello.readUInt16BE(3)) {
    const [chunk] = (await Promise.race([once(client, 'data'), once(client, 'close').then(() => [null])])) as [
      Buffer | null,
    ];
    if (chunk === null) return void upstream.destroy();
    hello = Buffer.concat([hello, chunk]);
  }
  client.pause();
  for (const piece of cut(hello)) {
    if (upstream.destroyed) break;
    await new Promise<void>((resolve) => upstream.write(piece, () => resolve()));
    await nextTurn();
    await nextTurn();
  }
  client.pipe(upstream);
  client.resume();
}

/** The ClientHello of a flight, over as many TLS records as it takes at `size` bytes each (RFC 8446 5.1). */
export function intoRecords(flight: Buffer, size: number): Buffer[] {
  const message = flight.subarray(5, 5 + flight.readUInt16BE(3));
  const records: Buffer[] = [];
  for (let start = 0; start < message.length; start += size) {
    const part = message.subarray(start, start + size);
    const header = Buffer.from(flight.subarray(0, 5));
    header.writeUInt16BE(part.length, 3);
    records.push(Buffer.concat([header, part]));
  }
  return records;
}
