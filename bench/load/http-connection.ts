import type { TLSSocket } from 'node:tls';

interface Waiting {
  readonly resolve: (body: string) => void;
  readonly reject: (error: Error) => void;
}

/** HTTP/1.1 on one socket, one request at a time, no more of it than the answers here need. */
export class HttpConnection {
  readonly #socket: TLSSocket;
  #waiting: Waiting | null = null;
  #received = '';

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setEncoding('latin1');
    socket.on('error', (error) => this.#waiting?.reject(error));
    socket.on('close', () => this.#waiting?.reject(new Error('the server closed the connection')));
    socket.on('data', (chunk: string) => this.#read(chunk));
  }

  /** Sends a head without its end, and a body in ASCII. Resolves with the body of the answer, which has to be 200 or 204. */
  succeed(head: string, body: string): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) return reject(new Error('the server closed the connection while it was idle'));
      this.#waiting = { resolve, reject };
      this.#socket.write(`${head}content-length: ${body.length}\r\n\r\n${body}`);
    });
  }

  close(): void {
    this.#waiting = null;
    this.#socket.destroy();
  }

  #read(chunk: string): void {
    this.#received += chunk;
    const end = this.#received.indexOf('\r\n\r\n');
    if (end < 0) return;
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(this.#received.slice(0, end))?.[1] ?? 0);
    if (this.#received.length < end + 4 + length) return;
    const answer = this.#received;
    this.#received = '';
    const waiting = this.#waiting;
    this.#waiting = null;
    if (/^HTTP\/1\.1 20[04] /.test(answer)) waiting?.resolve(answer.slice(end + 4));
    else waiting?.reject(new Error(`answered ${answer.slice(0, 600)}`));
  }
}
