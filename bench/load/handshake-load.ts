// Clients that connect, ask once and leave.
import { connect, createSecureContext, type SecureContext } from 'node:tls';
import { obey } from '../process/worker.ts';

export interface HandshakeLoad {
  readonly port: number;
  readonly serverName: string;
  readonly path: string;
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly count: number;
  readonly concurrency: number;
  /** Key exchange groups offered, in OpenSSL's spelling; null: Node's own list. */
  readonly groups: string | null;
}

const TIMEOUT_MS = 30_000;

const commands = {
  /** Resolves when `count` connections have each been made, answered 200 and closed; rejects at the first that was not. */
  async run(load: HandshakeLoad): Promise<void> {
    const context = createSecureContext({
      cert: load.certificatePem,
      key: load.privateKeyPem,
      minVersion: 'TLSv1.3',
      ...(load.groups !== null && { ecdhCurve: load.groups }),
    });
    let left = load.count;
    const lane = async () => {
      while (left > 0) {
        left -= 1;
        await once(load, context);
      }
    };
    await Promise.all(Array.from({ length: load.concurrency }, lane));
  },
};

export type HandshakeCommands = typeof commands;

function once({ port, serverName, path }: HandshakeLoad, secureContext: SecureContext): Promise<void> {
  return new Promise((resolve, reject) => {
    // The server's certificate is not verified: that is the client's CPU, and no session is offered: every handshake is full.
    const socket = connect({
      host: '127.0.0.1',
      port,
      servername: serverName,
      secureContext,
      rejectUnauthorized: false,
    });
    let answered = false;
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error('no answer')));
    socket.on('error', reject);
    socket.on('data', (chunk: Buffer) => {
      if (answered) return;
      answered = true;
      if (!chunk.toString('latin1').startsWith('HTTP/1.1 200'))
        reject(new Error(`answered ${chunk.toString('latin1', 0, 200)}`));
      socket.end();
    });
    socket.on('close', () => (answered ? resolve() : reject(new Error('closed without an answer'))));
    socket.write(`GET ${path} HTTP/1.1\r\nhost: ${serverName}\r\n\r\n`);
  });
}

obey(commands);
