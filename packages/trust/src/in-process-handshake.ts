import { constants, type X509Certificate } from 'node:crypto';
import { duplexPair } from 'node:stream';
import {
  type ConnectionOptions,
  connect,
  createSecureContext,
  createServer,
  type SecureContext,
  type Server,
  type TLSSocket,
  type TlsOptions,
} from 'node:tls';
import { keepPeerCertificates, takePeerCertificates } from './peer-certificates.ts';

/** How the gateway's mTLS listener asks for certificates: ask, never reject in TLS, and judge afterwards. */
export const MTLS_SERVER_OPTIONS = {
  requestCert: true,
  rejectUnauthorized: false,
  // Without tickets no session outlives a change of trust; on the listener it works, on a context alone it does nothing.
  secureOptions: constants.SSL_OP_NO_TICKET,
  minVersion: 'TLSv1.3',
} as const satisfies TlsOptions;

export interface HandshakeResult {
  readonly authorized: boolean;
  /** Node's `authorizationError`: the name of OpenSSL's error. */
  readonly errorCode: string | null;
  /** The client's own certificate first; empty when it sent none. */
  readonly sent: readonly X509Certificate[];
}

/**
 * The context of one endpoint. `SSL_OP_NO_TICKET` belongs to the listener (above): on a context alone it does nothing.
 * An account may upload only its issuing CA, hence the partial chain. `ca` is never undefined: that means the system's roots.
 */
export function createEndpointContext(server: {
  readonly cert: string;
  readonly key: string;
  readonly ca: readonly string[];
}): SecureContext {
  return createSecureContext({ ...server, ca: [...server.ca], allowPartialTrustChain: true });
}

/**
 * One real TLS handshake between a server with the gateway's options and a client, over a pipe in memory: no port, no
 * network, OpenSSL on both ends. Like the gateway it takes the endpoint's context from the SNI callback.
 * @throws Error of the end that failed first, such as a client that OpenSSL does not let use its key.
 */
export async function handshakeInProcess(
  context: SecureContext,
  client: Pick<ConnectionOptions, 'cert' | 'key' | 'ciphers' | 'secureContext'> & { readonly servername: string },
): Promise<HandshakeResult> {
  const listener = createServer({
    ...MTLS_SERVER_OPTIONS,
    SNICallback(this: unknown, _name, done) {
      keepPeerCertificates(this);
      done(null, context);
    },
  });
  const [serverSide, clientSide] = duplexPair();
  const accepted = acceptOne(listener);
  listener.emit('connection', serverSide);
  const clientSocket = connect({ ...client, socket: clientSide, rejectUnauthorized: false });
  const failed = new Promise<never>((_, reject) => clientSocket.on('error', reject));
  try {
    const socket = await Promise.race([accepted, failed]);
    socket.on('error', () => socket.destroy());
    const { authorizationError } = socket;
    return {
      authorized: socket.authorized,
      errorCode: authorizationError == null ? null : String(authorizationError),
      sent: takePeerCertificates(socket),
    };
  } finally {
    clientSocket.destroy();
    serverSide.destroy();
    clientSide.destroy();
  }
}

function acceptOne(listener: Server): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    listener.once('secureConnection', resolve);
    listener.once('tlsClientError', reject);
  });
}
