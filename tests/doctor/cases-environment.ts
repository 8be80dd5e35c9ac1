import { describedDelegate } from '@sallyport/doctor';
import { readManifest } from '@sallyport/manifest';
import { encodeDelegateToken } from '@sallyport/protocol';
import type { Case, Rig } from './rig.ts';

const token = (change: (hex: string) => string) => (rig: Rig) => ({
  environment: rig.plain({ DELEGATE_TOKEN: change(rig.acme.token) }),
});

const variables = (more: Readonly<Record<string, string>>) => (rig: Rig) => ({ environment: rig.plain(more) });

export const ENVIRONMENT_CASES: readonly Case[] = [
  {
    name: 'no address of the manager',
    cause: 'environment',
    says: /MANAGER_HOST_AND_PORT is not set/,
    broken: variables({ MANAGER_HOST_AND_PORT: '' }),
  },
  {
    name: 'the address begins with http://',
    cause: 'environment',
    says: /MANAGER_HOST_AND_PORT is not an https:\/\/ URL.*http:\/\//,
    broken: variables({ MANAGER_HOST_AND_PORT: 'http://acme.agent.localhost:8443' }),
  },
  {
    name: 'the address has no scheme',
    cause: 'environment',
    says: /MANAGER_HOST_AND_PORT is not an https:\/\/ URL/,
    broken: variables({ MANAGER_HOST_AND_PORT: 'acme.agent.localhost:8443' }),
  },
  {
    name: 'the address is still the placeholder of the manifest',
    cause: 'environment',
    says: /placeholder PUT_YOUR_MANAGER_ENDPOINT/,
    broken: variables({ MANAGER_HOST_AND_PORT: 'PUT_YOUR_MANAGER_ENDPOINT' }),
  },
  {
    name: 'a password in the address',
    cause: 'environment',
    says: /holds a user, a password/,
    broken: variables({ MANAGER_HOST_AND_PORT: 'https://ann:hunter2-hunter2@acme.agent.localhost' }),
  },
  {
    name: 'a path in the address that the manager does not serve',
    cause: 'environment',
    says: /MANAGER_HOST_AND_PORT holds the path \/delegate, and the manager serves nothing there/,
    does: /^Set it to scheme, host and port alone: https:\/\/acme\.agent\.localhost:\d+\.$/,
    broken: (rig) => ({ environment: rig.mtls({ MANAGER_HOST_AND_PORT: `${rig.manager.mtlsUrl('acme')}/delegate/` }) }),
  },
  { name: 'no account', cause: 'environment', says: /ACCOUNT_ID is not set/, broken: variables({ ACCOUNT_ID: ' ' }) },
  {
    name: 'an account identifier with blanks',
    cause: 'environment',
    says: /ACCOUNT_ID is not an account identifier/,
    broken: variables({ ACCOUNT_ID: 'Acme Inc.' }),
  },
  { name: 'no name', cause: 'environment', says: /DELEGATE_NAME is not set/, broken: variables({ DELEGATE_NAME: '' }) },
  {
    name: 'a certificate path without a key path',
    cause: 'environment',
    says: /DELEGATE_CLIENT_CERTIFICATE_KEY_PATH is not set, but/,
    broken: (rig) => ({ environment: rig.mtls({ DELEGATE_CLIENT_CERTIFICATE_KEY_PATH: '' }) }),
  },
  {
    name: 'a certificate path under a misspelt name',
    cause: 'environment',
    status: 'warn',
    says: /DELEGATE_CLIENT_CERT_PATH is set, but nothing reads it/,
    broken: variables({ DELEGATE_CLIENT_CERT_PATH: '/etc/mtls/client.crt' }),
  },
  {
    name: 'a port of a proxy without its host',
    cause: 'environment',
    says: /PROXY_PORT: set without PROXY_HOST/,
    broken: variables({ PROXY_PORT: '3128' }),
  },
  {
    name: 'a SOCKS proxy',
    cause: 'environment',
    says: /HTTPS_PROXY: not a proxy URL/,
    broken: variables({ HTTPS_PROXY: 'socks5://127.0.0.1:1080' }),
  },
  {
    name: 'TRUST_ALL_CERTIFICATES is relied on',
    cause: 'environment',
    status: 'warn',
    says: /TRUST_ALL_CERTIFICATES is not honoured/,
    broken: variables({ TRUST_ALL_CERTIFICATES: 'true' }),
  },
  {
    name: 'a log service in clear',
    cause: 'environment',
    says: /LOG_STREAMING_SERVICE_URL is not an https:\/\/ URL/,
    broken: variables({ LOG_STREAMING_SERVICE_URL: 'http://localhost/log-service/' }),
  },
  { name: 'no token', cause: 'token-form', says: /DELEGATE_TOKEN is not set/, broken: token(() => '') },
  {
    name: 'a token that was encoded twice',
    cause: 'token-form',
    says: /encoded in base64 twice/,
    broken: token((hex) => btoa(encodeDelegateToken(hex))),
  },
  {
    name: 'a token in quotes',
    cause: 'token-form',
    says: /quotes around it/,
    broken: token((hex) => `"${hex}"`),
  },
  {
    name: 'an API key in place of a token',
    cause: 'token-form',
    says: /holds an API key/,
    broken: (rig) => ({ environment: rig.plain({ DELEGATE_TOKEN: rig.acme.adminKey }) }),
  },
  {
    name: 'a token that was cut off',
    cause: 'token-form',
    says: /neither 32 hex characters nor/,
    broken: token((hex) => hex.slice(0, 30)),
  },
  {
    name: 'the token of the manifest is still the placeholder',
    cause: 'token-form',
    says: /placeholder/,
    broken: token(() => 'PUT_YOUR_DELEGATE_TOKEN'),
  },
  {
    name: 'a manifest mounts a Secret that it does not hold',
    cause: 'file-access',
    says: /refers to the Secret edge-1-client-certificate, which is not in the file/,
    does: /Add the Secret to the file .*--root/,
    broken: (rig) => fromManifest(rig, ''),
  },
  {
    name: 'the token of a manifest is in a Secret that it does not hold',
    cause: 'token-form',
    says: /DELEGATE_TOKEN comes from the Secret edge-1-account-token, which is not in the manifest/,
    does: /--env-file, a file with the line DELEGATE_TOKEN=/,
    broken: (rig) => fromManifest(rig, certificateSecret(rig), { tokenSecret: '' }),
  },
];

/** A Kubernetes manifest of a delegate with mTLS, read as `sallyport doctor --from-manifest` does. */
export function fromManifest(rig: Rig, secret: string, { tokenSecret = tokenSecretOf(rig) } = {}) {
  const text = `${tokenSecret}${secret}apiVersion: apps/v1
kind: Deployment
metadata: {name: edge-1, namespace: delegates}
spec:
  selector: {matchLabels: {"harness.io/name": edge-1}}
  template:
    metadata: {labels: {"harness.io/name": edge-1}}
    spec:
      securityContext: {fsGroup: 1001}
      containers:
        - name: delegate
          image: harness/delegate:25.09.86700
          envFrom: [{secretRef: {name: edge-1-account-token}}]
          env:
            - {name: ACCOUNT_ID, value: ${rig.acme.id}}
            - {name: DELEGATE_NAME, value: edge-1}
            - {name: DELEGATE_TYPE, value: KUBERNETES}
            - {name: NEXT_GEN, value: "true"}
            - {name: MANAGER_HOST_AND_PORT, value: "${rig.manager.mtlsUrl('acme')}"}
            - {name: LOG_STREAMING_SERVICE_URL, value: "${rig.manager.mtlsUrl('acme')}/log-service/"}
            - {name: DELEGATE_CLIENT_CERTIFICATE_PATH, value: /etc/mtls/client.crt}
            - {name: DELEGATE_CLIENT_CERTIFICATE_KEY_PATH, value: /etc/mtls/client.key}
            - {name: GRPC_AUTHORITY_MODIFICATION_DISABLED, value: "true"}
            - {name: SALLYPORT_EXTRA_CA_FILE, value: /etc/manager-ca/ca.crt}
          volumeMounts:
            - {name: client-certificate, mountPath: /etc/mtls, readOnly: true}
            - {name: manager-ca, mountPath: /etc/manager-ca, readOnly: true}
      volumes:
        - {name: client-certificate, secret: {secretName: edge-1-client-certificate, defaultMode: 0440}}
        - {name: manager-ca, configMap: {name: manager-ca}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: manager-ca, namespace: delegates}
data:
  ca.crt: |
${indented(rig.manager.serverCa)}
`;
  const [delegate] = readManifest(text).delegates;
  if (delegate === undefined) throw new Error('the manifest describes no delegate');
  return { ...describedDelegate(text, delegate, { folder: rig.folder }), text };
}

const tokenSecretOf = ({ acme }: Rig): string => `apiVersion: v1
kind: Secret
metadata: {name: edge-1-account-token, namespace: delegates}
type: Opaque
data: {DELEGATE_TOKEN: "${encodeDelegateToken(acme.token)}"}
---
`;

export const certificateSecret = ({ client }: Rig): string => `apiVersion: v1
kind: Secret
metadata: {name: edge-1-client-certificate, namespace: delegates}
type: Opaque
data: {client.crt: ${btoa(client.certificatePem)}, client.key: ${btoa(client.privateKeyPem)}}
---
`;

const indented = (text: string): string => text.trimEnd().replaceAll(/^/gm, '    ');
