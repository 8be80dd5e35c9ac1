import type { LookupFunction, Socket } from 'node:net';
import { type Case, IMPATIENT, type Rig } from './rig.ts';
import { httpServer, type KeyPair, rawTlsServer, tcpServer, tlsServer } from './servers.ts';

const DAY_MS = 86_400_000;

const unknownName: LookupFunction = (_host, _options, callback) => {
  callback(Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' }), '', 4);
};
const silentNameServer: LookupFunction = () => undefined;

/** To a TCP server that does `onSocket` with each connection. */
const toSocket = (onSocket: (socket: Socket) => void) => async (rig: Rig) => ({
  environment: rig.elsewhere(await tcpServer(rig.closing, onSocket)),
});

/** A TLS alert record by hand (RFC 8446 section 6). */
const alert = (description: number) => (socket: Socket) => {
  socket.once('data', () => socket.end(Buffer.from([0x15, 3, 3, 0, 2, 2, description])));
};

const toServerWith = (pair: (rig: Rig) => Promise<KeyPair>) => async (rig: Rig) => ({
  environment: rig.elsewhere(await tlsServer(rig.closing, await pair(rig), (_request, response) => response.end('OK'))),
});

const answering = (status: number, headers: Record<string, string>, body: string) => async (rig: Rig) => ({
  environment: rig.elsewhere(
    await tlsServer(rig.closing, rig.server, (_request, response) => response.writeHead(status, headers).end(body)),
  ),
});

export const NETWORK_CASES: readonly Case[] = [
  {
    name: 'the name does not resolve',
    cause: 'name-resolution',
    says: /name of acme\.agent\.example\.com does not resolve/,
    broken: (rig) => ({
      environment: rig.mtls({ MANAGER_HOST_AND_PORT: 'https://acme.agent.example.com' }),
      lookup: unknownName,
    }),
  },
  {
    name: 'the name server is silent',
    cause: 'name-resolution',
    says: /name server gave no answer/,
    broken: (rig) => ({
      environment: rig.mtls({ MANAGER_HOST_AND_PORT: 'https://acme.agent.example.com' }),
      lookup: silentNameServer,
      limits: IMPATIENT,
    }),
  },
  {
    name: 'nothing listens at the port',
    cause: 'tcp',
    says: /Nothing accepts connections at localhost/,
    broken: async (rig) => {
      const port = await tcpServer(rig.closing, () => undefined);
      await rig.closing.close();
      return { environment: rig.elsewhere(port) };
    },
  },
  {
    name: 'connections are taken and nothing is said',
    cause: 'tls',
    says: /does not answer the TLS handshake/,
    broken: async (rig) => ({ ...(await toSocket(() => undefined)(rig)), limits: IMPATIENT }),
  },
  {
    name: 'connections are closed at once',
    cause: 'tls',
    says: /cut during the TLS handshake/,
    broken: toSocket((socket) => void socket.end()),
  },
  {
    name: 'a firewall resets the connection when it has read the name',
    cause: 'tls',
    says: /cut during the TLS handshake \(ECONNRESET\)/,
    broken: toSocket((socket) => void socket.once('data', () => socket.resetAndDestroy())),
  },
  {
    name: 'a plain HTTP port',
    cause: 'tls',
    says: /does not speak TLS/,
    broken: async (rig) => ({
      environment: rig.elsewhere(await httpServer(rig.closing, (_request, response) => response.end('OK'))),
    }),
  },
  {
    name: 'another protocol answers',
    cause: 'tls',
    says: /does not speak TLS/,
    broken: toSocket((socket) => void socket.write('SSH-2.0-OpenSSH_9.2\r\n')),
  },
  {
    name: 'TLS 1.1 and nothing newer',
    cause: 'tls',
    says: /no TLS version that is safe/,
    broken: async (rig) => {
      const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL@SECLEVEL=0' } as const;
      return { environment: rig.elsewhere(await tlsServer(rig.closing, rig.server, () => undefined, old)) };
    },
  },
  {
    name: 'no cipher in common',
    cause: 'tls',
    says: /no way to encrypt in common/,
    broken: toSocket(alert(40)),
  },
  {
    name: 'the server knows no such name, and says so in the handshake',
    cause: 'sni',
    says: /does not serve the name "localhost"/,
    broken: toSocket(alert(112)),
  },
  {
    name: "the CA of the manager's certificate is not known here",
    cause: 'server-certificate',
    says: /issued by "CN=Sallyport development CA.*not known here|issued by "CN=Sallyport development CA.*not trusted/,
    broken: (rig) => ({ environment: rig.mtls({ SALLYPORT_EXTRA_CA_FILE: '' }) }),
  },
  {
    name: 'the wrong CA is in the extra CA file',
    cause: 'server-certificate',
    says: /issued by "CN=Sallyport development CA/,
    broken: (rig) => ({
      environment: rig.mtls({ SALLYPORT_EXTRA_CA_FILE: rig.file('ca.pem', rig.authority.certificatePem) }),
    }),
  },
  {
    name: 'a self-signed certificate',
    cause: 'server-certificate',
    says: /self-signed|not trusted here/,
    broken: toServerWith(async ({ stranger }) => stranger.pair),
  },
  {
    name: "the certificate is another host's",
    cause: 'server-certificate',
    says: /not for "localhost", but for www\.example\.com/,
    broken: toServerWith((rig) => rig.serverPair(['www.example.com'])),
  },
  {
    name: "the manager's certificate expired",
    cause: 'server-certificate',
    says: /valid from .* to .*, not now/,
    broken: toServerWith((rig) => rig.serverPair(['localhost'], { now: new Date(Date.now() - 40 * DAY_MS) })),
  },
  {
    name: "the manager's certificate is not valid yet",
    cause: 'server-certificate',
    says: /valid from .* to .*, not now/,
    broken: toServerWith((rig) => rig.serverPair(['localhost'], { now: new Date(Date.now() + 2 * DAY_MS) })),
  },
  {
    name: 'the server does not send its intermediate',
    cause: 'server-certificate',
    says: /issuer is not known here, and was not sent along/,
    broken: toServerWith(async (rig) => {
      const { TestAuthority } = await import('@sallyport/dev-env');
      const intermediate = await TestAuthority.create('Acme web CA', { issuer: rig.serverAuthority });
      return rig.serverPair(['localhost'], { authority: intermediate });
    }),
  },
  {
    name: 'TLS works and requests are not answered',
    cause: 'manager',
    says: /speaks TLS, but does not answer a request/,
    broken: async (rig) => ({
      environment: rig.elsewhere(await rawTlsServer(rig.closing, rig.server, () => undefined)),
      limits: IMPATIENT,
    }),
  },
  {
    name: 'TLS works and requests end the connection',
    cause: 'manager',
    says: /closed the connection instead of answering/,
    broken: async (rig) => ({
      environment: rig.elsewhere(
        await rawTlsServer(rig.closing, rig.server, (socket) => void socket.once('data', () => socket.destroy())),
      ),
    }),
  },
  {
    name: 'another web server answers',
    cause: 'manager',
    says: /answered 200 \(text\/html\), which is no answer of a Sallyport manager/,
    broken: answering(200, { 'content-type': 'text/html' }, '<h1>It works!</h1>'),
  },
  {
    name: 'a load balancer without a manager behind it',
    cause: 'manager',
    says: /answered 502/,
    broken: answering(502, { 'content-type': 'text/html' }, '<h1>Bad gateway</h1>'),
  },
  {
    name: 'a portal wants somebody to log in',
    cause: 'manager',
    says: /answered 302/,
    broken: answering(302, { location: 'https://login.example.com/' }, ''),
  },
  {
    name: 'the manager is starting',
    cause: 'manager',
    says: /answered 503 SERVICE_UNAVAILABLE: starting/,
    broken: answering(
      503,
      { 'content-type': 'application/json' },
      '{"code":"SERVICE_UNAVAILABLE","message":"starting"}',
    ),
  },
];
