import { X509Certificate } from 'node:crypto';
import { TestAuthority } from '@sallyport/dev-env';
import type { Case, Rig } from './rig.ts';
import { endingTls, strippingUpgrades, tcpServer, tlsServer } from './servers.ts';

const mtls = (more: (rig: Rig) => Record<string, string>) => (rig: Rig) => ({ environment: rig.mtls(more(rig)) });
const plain = (more: (rig: Rig) => Record<string, string>) => (rig: Rig) => ({ environment: rig.plain(more(rig)) });

const behind = (rig: Rig) => ({ host: 'localhost', port: rig.manager.manager.publicAddress.port });

export const ADMISSION_CASES: readonly Case[] = [
  {
    name: 'no endpoint has that name',
    cause: 'sni',
    says: /The manager says: No endpoint has the name "acne\.agent\.localhost"/,
    broken: mtls(({ manager }) => ({ MANAGER_HOST_AND_PORT: manager.mtlsUrl('acne') })),
  },
  {
    name: 'an address in place of the name of the endpoint',
    cause: 'sni',
    says: /127\.0\.0\.1 is an address: TLS sends no server name/,
    broken: mtls(({ manager }) => ({ MANAGER_HOST_AND_PORT: `https://127.0.0.1:${manager.manager.mtlsAddress.port}` })),
  },
  {
    name: 'a certificate of a CA that the endpoint does not know',
    cause: 'client-certificate',
    says: /The manager says: .*Somebody else/,
    broken: async (rig) => ({ environment: rig.mtls({}, await rig.stranger.client('edge-1')) }),
  },
  {
    name: 'an intermediate is missing, and nothing tells that it is one',
    cause: 'client-certificate',
    says: /The manager says: .*issued by "CN=Some issuing CA"/,
    broken: async (rig) => {
      const intermediate = await TestAuthority.create('Some issuing CA', { issuer: rig.authority });
      return { environment: rig.mtls({}, await intermediate.client('edge-1')) };
    },
  },
  {
    name: 'no certificate at an mTLS endpoint',
    cause: 'client-certificate',
    says: /The manager says: .*presented no client certificate/,
    broken: plain(({ manager }) => ({ MANAGER_HOST_AND_PORT: manager.mtlsUrl('acme') })),
  },
  {
    name: 'the account denies this certificate',
    cause: 'client-certificate',
    says: /The manager says: .*denied|The manager says: .*denies/,
    broken: async (rig) => {
      const pair = await rig.authority.client('stolen', { now: new Date() });
      const fingerprint = new X509Certificate(pair.certificatePem).fingerprint256.replaceAll(':', '').toLowerCase();
      const path = `/ng/api/agent/mtls/denied-certificates?accountIdentifier=${rig.acme.id}`;
      await rig.manager.must('POST', path, { fingerprint }, rig.acme.adminKey);
      return { environment: rig.mtls({}, pair) };
    },
  },
  {
    name: 'the public address in place of the endpoint, while the account is LOOSE',
    cause: 'client-certificate',
    status: 'warn',
    says: /did not ask for the client certificate.*connects without mTLS/,
    broken: mtls(({ manager }) => ({ MANAGER_HOST_AND_PORT: manager.publicUrl })),
  },
  {
    name: 'the public address in place of the endpoint, in STRICT',
    cause: 'client-certificate',
    says: /did not ask for the client certificate.*strict\.agent\.localhost is STRICT/,
    broken: mtls(({ manager, strict }) => ({
      MANAGER_HOST_AND_PORT: manager.publicUrl,
      ACCOUNT_ID: strict.id,
      DELEGATE_TOKEN: strict.token,
    })),
  },
  {
    name: 'the endpoint of another account',
    cause: 'account',
    says: /endpoint acme\.agent\.localhost is not the one of account "strict".*The manager says/,
    broken: mtls(({ strict }) => ({ ACCOUNT_ID: strict.id, DELEGATE_TOKEN: strict.token })),
  },
  {
    name: 'the endpoint of another account, with a token that is not of this one either',
    cause: 'account',
    says: /endpoint acme\.agent\.localhost is not the one of account "strict"/,
    broken: mtls(({ strict }) => ({ ACCOUNT_ID: strict.id })),
  },
  {
    name: 'an account that does not exist, through the endpoint',
    cause: 'account',
    says: /no account "acne"/,
    broken: mtls(() => ({ ACCOUNT_ID: 'acne' })),
  },
  {
    name: 'an account that does not exist',
    cause: 'account',
    says: /no account "acne"/,
    broken: plain(() => ({ ACCOUNT_ID: 'acne' })),
  },
  {
    name: 'without mTLS to an account that is STRICT',
    cause: 'mode',
    says: /accepts mTLS delegates only \(STRICT\).*The manager says/,
    broken: plain(({ strict }) => ({ ACCOUNT_ID: strict.id, DELEGATE_TOKEN: strict.token })),
  },
  {
    name: 'without mTLS to an account that is STRICT, with the wrong token',
    cause: 'mode',
    says: /accepts mTLS delegates only \(STRICT\)/,
    broken: plain(({ strict }) => ({ ACCOUNT_ID: strict.id, DELEGATE_TOKEN: '0'.repeat(32) })),
  },
  {
    name: 'a token that nobody has made',
    cause: 'token',
    says: /The manager says: No delegate token of account 'acme'/,
    broken: mtls(() => ({ DELEGATE_TOKEN: '0'.repeat(32) })),
  },
  {
    name: 'the token of another account',
    cause: 'token',
    says: /The manager says: No delegate token of account 'acme'/,
    broken: mtls(({ strict }) => ({ DELEGATE_TOKEN: strict.token })),
  },
  {
    name: 'a token that was revoked',
    cause: 'token',
    says: /The manager says: The delegate token was revoked/,
    broken: async (rig) => {
      const path = `/ng/api/delegate-token-ng?accountIdentifier=${rig.acme.id}&tokenName=old`;
      const { value } = await rig.manager.must('POST', path, undefined, rig.acme.adminKey);
      await rig.manager.must('PUT', path, undefined, rig.acme.adminKey);
      return { environment: rig.mtls({ DELEGATE_TOKEN: String(value) }) };
    },
  },
  {
    name: 'a reverse proxy refuses upgrades to WebSocket',
    cause: 'web-socket',
    status: 'warn',
    says: /no upgrade to WebSocket \(answered 400\)/,
    broken: async (rig) => ({ environment: rig.elsewhere(await endingTls(rig.closing, rig.server, behind(rig))) }),
  },
  {
    name: 'a reverse proxy strips the headers of the upgrade',
    cause: 'web-socket',
    status: 'warn',
    says: /no upgrade to WebSocket \(answered 404 RESOURCE_NOT_FOUND\)/,
    broken: async (rig) => ({
      environment: rig.elsewhere(await strippingUpgrades(rig.closing, rig.server, behind(rig))),
    }),
  },
  {
    name: 'the log service is at a port where nothing listens',
    cause: 'log-service',
    says: /log service at https:\/\/localhost:\d+\/log-service\/ready\/healthz cannot be reached/,
    does: /^Set LOG_STREAMING_SERVICE_URL to https:\/\/\S+\/log-service\/\.$/,
    broken: async (rig) => {
      const port = await tcpServer(rig.closing, () => undefined);
      await rig.closing.close();
      return { environment: rig.plain({ LOG_STREAMING_SERVICE_URL: `https://localhost:${port}/log-service/` }) };
    },
  },
  {
    name: 'the path of the log service is wrong',
    cause: 'log-service',
    status: 'warn',
    says: /No log service answers at \S+\/logs\/ready\/healthz \(404\)/,
    does: /^Set LOG_STREAMING_SERVICE_URL to https:\/\/acme\.agent\.localhost:\d+\/log-service\/\.$/,
    broken: mtls(({ manager }) => ({ LOG_STREAMING_SERVICE_URL: `${manager.mtlsUrl('acme')}/logs/` })),
  },
  {
    name: 'the log service is the address of the manager itself, where something else answers',
    cause: 'log-service',
    status: 'warn',
    says: /No log service answers at \S+:\d+\/ready\/healthz \(404\)/,
    broken: mtls(({ manager }) => ({ LOG_STREAMING_SERVICE_URL: manager.mtlsUrl('acme') })),
  },
  {
    name: 'the log service wants a client certificate, and logs go there without one',
    cause: 'log-service',
    says: /answered 403: Presented no client certificate\.$/,
    broken: async (rig) => {
      const body = JSON.stringify({ code: 'NO_CLIENT_CERTIFICATE', message: 'Presented no client certificate.' });
      const port = await tlsServer(rig.closing, rig.server, (_request, response) => response.writeHead(403).end(body));
      const { SALLYPORT_EXTRA_CA_FILE = '' } = rig.elsewhere(port);
      const logs = { LOG_STREAMING_SERVICE_URL: `https://localhost:${port}/log-service/`, SALLYPORT_EXTRA_CA_FILE };
      return { environment: rig.mtls(logs) };
    },
  },
  {
    name: 'logs bypass the mTLS endpoint',
    cause: 'log-service',
    status: 'warn',
    says: /bypass the mTLS endpoint/,
    broken: async (rig) => {
      const port = await tlsServer(rig.closing, rig.server, (_request, response) => response.end('OK'));
      const { SALLYPORT_EXTRA_CA_FILE = '' } = rig.elsewhere(port);
      const logs = { LOG_STREAMING_SERVICE_URL: `https://localhost:${port}/log-service/`, SALLYPORT_EXTRA_CA_FILE };
      return { environment: rig.mtls(logs) };
    },
  },
];
