import { once } from 'node:events';
import { type ConnectionOptions, connect, type SecureContext, type TLSSocket } from 'node:tls';

export interface RawTlsOptions {
  readonly port: number;
  /** SNI; null sends none. */
  readonly serverName: string | null;
  readonly certificate?: { readonly certificatePem: string; readonly privateKeyPem: string };
  /** In place of `certificate`, for many connections with one: making a context costs more than a handshake. */
  readonly secureContext?: SecureContext;
  readonly session?: Buffer;
  readonly version?: 'TLSv1.2' | 'TLSv1.3';
  /** Called with every session that the server gives. */
  readonly onSession?: (session: Buffer) => void;
  /** Key agreement groups; few and small ones make a small ClientHello. */
  readonly groups?: string;
  readonly ciphers?: string;
}

/** A TLS connection below HTTP, for what no HTTP client would send. Verifies nothing: the tests look at the server. */
export async function rawTls(options: RawTlsOptions): Promise<TLSSocket> {
  const { certificate, secureContext, serverName, version, groups, ciphers } = options;
  const settings: ConnectionOptions = {
    host: '127.0.0.1',
    port: options.port,
    rejectUnauthorized: false,
    ...(serverName !== null && { servername: serverName }),
    ...(options.session !== undefined && { session: options.session }),
    ...(version !== undefined && { minVersion: version, maxVersion: version }),
    ...(certificate !== undefined && { cert: certificate.certificatePem, key: certificate.privateKeyPem }),
    ...(secureContext !== undefined && { secureContext }),
    ...(groups !== undefined && { ecdhCurve: groups }),
    ...(ciphers !== undefined && { ciphers }),
  };
  const socket = connect(settings);
  if (options.onSession !== undefined) socket.on('session', options.onSession);
  await once(socket, 'secureConnect');
  socket.on('error', () => socket.destroy());
  return socket;
}

/** Sends the text and resolves with everything that comes back until the end of the connection. */
export function converse(socket: TLSSocket, text: string): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('utf8')));
    socket.write(text);
  });
}

/** Resolves with the first bytes that come back, the connection left open. */
export async function ask(socket: TLSSocket, text: string): Promise<string> {
  const answer = once(socket, 'data');
  socket.write(text);
  const [data] = (await answer) as [Buffer];
  return data.toString('utf8');
}
