import { X509Certificate } from 'node:crypto';
import { TLSSocket } from 'node:tls';

/** A client may send some hundred certificates in the 100 KB that OpenSSL takes; more than this never helps. */
export const MOST_PEER_CERTIFICATES = 128;

const kept = new WeakMap<TLSSocket, readonly X509Certificate[]>();

/**
 * Makes `takePeerCertificates()` complete for a server's socket. Call it with the `this` of an `SNICallback` (written as a
 * `function`), which is the socket before its handshake. Node 24 hands out the certificates that a client sent besides
 * its own once only, and its server asks by itself before it emits 'secureConnection' for a verified client.
 */
export function keepPeerCertificates(socket: unknown): void {
  if (socket instanceof TLSSocket) socket.prependListener('secure', keep);
}

function keep(this: TLSSocket): void {
  kept.set(this, readPeerCertificates(this));
}

/**
 * The certificates that a TLS peer sent, its own first, the others in the order sent; empty when it sent none. Nothing is
 * said about trust. This is what was sent, not the path that OpenSSL built: the CA of the bundle is not among them.
 * A second call gives the peer's own only: the rest is let go, for connections live long.
 */
export function takePeerCertificates(socket: TLSSocket): readonly X509Certificate[] {
  const certificates = kept.get(socket);
  kept.delete(socket);
  return certificates ?? readPeerCertificates(socket);
}

function readPeerCertificates(socket: TLSSocket): X509Certificate[] {
  const sent: X509Certificate[] = [];
  let next = socket.getPeerX509Certificate();
  while (next instanceof X509Certificate && sent.length < MOST_PEER_CERTIFICATES) {
    sent.push(next);
    next = next.issuerCertificate;
  }
  return sent;
}
