import {
  CANNOT_REACH,
  HANGS_UP,
  httpProxy,
  inspecting,
  type OnConnect,
  REFUSES,
  SAYS_NO_CERTIFICATE,
  SILENT,
  TUNNELS,
  tlsProxy,
  WANTS_PASSWORD,
  withPassword,
} from './proxies.ts';
import { type Case, IMPATIENT, type Rig } from './rig.ts';
import { endingTls, tcpServer } from './servers.ts';

const through =
  (onConnect: OnConnect, more: Readonly<Record<string, string>> = {}) =>
  async (rig: Rig) => {
    const port = await httpProxy(rig.closing, onConnect);
    return { environment: rig.mtls({ PROXY_HOST: 'localhost', PROXY_PORT: String(port), ...more }) };
  };

/** Through a proxy that is spoken to over TLS, whose CA is trusted. */
function throughTls(rig: Rig, port: number, more: Readonly<Record<string, string>> = {}) {
  const proxy = { PROXY_SCHEME: 'https', PROXY_HOST: 'localhost', PROXY_PORT: String(port), ...more };
  const cas = rig.file('cas.pem', rig.manager.serverCa + rig.serverAuthority.certificatePem);
  return { environment: rig.mtls({ SALLYPORT_EXTRA_CA_FILE: cas, ...proxy }) };
}

async function inspected(
  rig: Rig,
  names: 'of-the-client' | 'of-the-connect',
  issuer: string,
  trusted: boolean,
  mtls = true,
) {
  const { TestAuthority } = await import('@sallyport/dev-env');
  const authority = await TestAuthority.create(issuer);
  const port = await inspecting(rig.closing, { authority: authority.pair, names });
  const cas = trusted ? rig.manager.serverCa + authority.certificatePem : rig.manager.serverCa;
  const more = { HTTPS_PROXY: `http://localhost:${port}`, SALLYPORT_EXTRA_CA_FILE: rig.file('cas.pem', cas) };
  return { environment: mtls ? rig.mtls(more) : rig.plain(more) };
}

export const PROXY_CASES: readonly Case[] = [
  {
    name: 'the proxy refuses the tunnel',
    cause: 'proxy',
    says: /refused a tunnel to acme\.agent\.localhost:\d+ \(403\)/,
    broken: through(REFUSES),
  },
  {
    name: 'the proxy does not reach the manager',
    cause: 'proxy',
    says: /refused a tunnel.*\(502\)/,
    broken: through(CANNOT_REACH),
  },
  {
    name: 'the proxy wants a password and none is set',
    cause: 'proxy',
    says: /wants a user and a password \(407\), and none are set/,
    broken: through(WANTS_PASSWORD),
  },
  {
    name: 'the proxy refuses the password',
    cause: 'proxy',
    says: /\(407\), and refused the ones that are set/,
    broken: through(withPassword('Basic right', TUNNELS), { PROXY_USER: 'ann', PROXY_PASSWORD: 'hunter2-hunter2' }),
  },
  {
    name: 'the proxy answers that a certificate is missing',
    cause: 'proxy',
    says: /itself wants a client certificate \(400\)/,
    broken: through(SAYS_NO_CERTIFICATE),
  },
  {
    name: 'the proxy demands a client certificate in its own TLS',
    cause: 'proxy',
    says: /itself wants a client certificate/,
    broken: async (rig) => {
      const demanding = { requestCert: true, rejectUnauthorized: true, ca: rig.stranger.certificatePem };
      return throughTls(rig, await tlsProxy(rig.closing, rig.server, TUNNELS, demanding));
    },
  },
  {
    name: 'the same under TLS 1.2',
    cause: 'proxy',
    says: /itself wants a client certificate/,
    broken: async (rig) => {
      const demanding = { requestCert: true, ca: rig.stranger.certificatePem, maxVersion: 'TLSv1.2' } as const;
      return throughTls(rig, await tlsProxy(rig.closing, rig.server, TUNNELS, demanding));
    },
  },
  {
    name: "the proxy's own certificate is not trusted",
    cause: 'proxy',
    says: /has a certificate that is not trusted here/,
    broken: async (rig) =>
      throughTls(rig, await tlsProxy(rig.closing, rig.server, TUNNELS), {
        SALLYPORT_EXTRA_CA_FILE: rig.file('ca.pem', rig.manager.serverCa),
      }),
  },
  {
    name: 'https is set for a proxy that speaks http',
    cause: 'proxy',
    says: /does not speak TLS/,
    broken: async (rig) => throughTls(rig, await httpProxy(rig.closing, TUNNELS)),
  },
  {
    name: 'http is set for a proxy that speaks https',
    cause: 'proxy',
    says: /does not answer as an HTTP proxy does|ended the connection/,
    broken: async (rig) => throughTls(rig, await tlsProxy(rig.closing, rig.server, TUNNELS), { PROXY_SCHEME: 'http' }),
  },
  {
    name: 'the proxy hangs',
    cause: 'proxy',
    says: /took the request for a tunnel and does not answer/,
    broken: async (rig) => ({ ...(await through(SILENT)(rig)), limits: IMPATIENT }),
  },
  {
    name: 'the proxy hangs in its own TLS handshake',
    cause: 'proxy',
    says: /^The proxy https:\/\/localhost:\d+ takes TCP connections, but does not answer the TLS handshake\.$/,
    does: /^Set PROXY_SCHEME=http/,
    broken: async (rig) => ({
      ...throughTls(rig, await tcpServer(rig.closing, () => undefined)),
      limits: IMPATIENT,
    }),
  },
  {
    name: 'the proxy hangs up',
    cause: 'proxy',
    says: /ended the connection when it was asked for a tunnel/,
    broken: through(HANGS_UP),
  },
  {
    name: 'the proxy is down',
    cause: 'tcp',
    says: /Nothing accepts connections at the proxy localhost/,
    broken: async (rig) => {
      const port = await tcpServer(rig.closing, () => undefined);
      await rig.closing.close();
      return { environment: rig.mtls({ HTTPS_PROXY: `localhost:${port}` }) };
    },
  },
  {
    name: 'the name of the proxy does not resolve',
    cause: 'name-resolution',
    says: /name of the proxy proxy\.example\.com does not resolve/,
    broken: (rig) => ({
      environment: rig.mtls({ PROXY_HOST: 'proxy.example.com', PROXY_PORT: '3128' }),
      lookup: (_host, _options, callback) =>
        callback(Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' }), '', 4),
    }),
  },
  {
    name: 'a TLS-inspecting proxy whose CA is not known',
    cause: 'tls-inspection',
    says: /ends TLS: the certificate was issued by "CN=Contoso web gateway".*made a certificate for/,
    broken: (rig) => inspected(rig, 'of-the-client', 'Contoso web gateway', false),
  },
  {
    name: 'a TLS-inspecting proxy whose CA the company has put on every machine',
    cause: 'tls-inspection',
    says: /ends TLS: the certificate was issued by "CN=Contoso web gateway"/,
    broken: (rig) => inspected(rig, 'of-the-client', 'Contoso web gateway', true),
  },
  {
    name: 'one that makes certificates for the names of the tunnels only',
    cause: 'tls-inspection',
    says: /issued by "CN=Contoso web gateway".*did not ask for the client certificate, and the manager got none/,
    broken: (rig) => inspected(rig, 'of-the-connect', 'Contoso web gateway', true),
  },
  {
    name: 'one in the way of a delegate that has no mTLS yet',
    cause: 'tls-inspection',
    status: 'warn',
    says: /ends TLS: the certificate was issued by "CN=Contoso web gateway"/,
    broken: (rig) => inspected(rig, 'of-the-client', 'Contoso web gateway', true, false),
  },
  {
    name: 'one that bears the name of a product',
    cause: 'tls-inspection',
    says: /seems to end TLS.*"CN=Zscaler Intermediate Root CA".*name of such a product/,
    broken: (rig) => inspected(rig, 'of-the-connect', 'Zscaler Intermediate Root CA', false),
  },
  {
    name: 'a load balancer ends TLS in front of the endpoint',
    cause: 'tls-inspection',
    says: /did not ask for the client certificate, and the manager got none/,
    broken: async (rig) => {
      const upstream = { host: 'acme.agent.localhost', port: rig.manager.manager.mtlsAddress.port };
      const port = await endingTls(rig.closing, rig.server, upstream);
      return { environment: rig.elsewhere(port, { host: 'acme.agent.localhost', base: rig.mtls() }) };
    },
  },
];
