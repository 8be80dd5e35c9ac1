import { createPrivateKey, X509Certificate } from 'node:crypto';
import { TestAuthority } from '@sallyport/dev-env';
import { createAuthority, createSigningRequest, issueClientCertificate } from '@sallyport/trust';
import { opensslPair, P256, RSA_1024 } from './openssl-pairs.ts';
import type { Case, Rig } from './rig.ts';
import { type KeyPair, tlsServer } from './servers.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

const withPair = (make: (rig: Rig) => Partial<KeyPair> | Promise<Partial<KeyPair>>) => async (rig: Rig) => ({
  environment: rig.mtls({}, { ...rig.client, ...(await make(rig)) }),
});

/** A leaf below an intermediate of the CA that the endpoint trusts. */
async function belowIntermediate({ authority }: Rig) {
  const intermediate = await TestAuthority.create('Acme issuing CA', { issuer: authority });
  return { intermediate, leaf: await intermediate.client('edge-1') };
}

export const CERTIFICATE_CASES: readonly Case[] = [
  {
    name: 'certificate and key are swapped',
    cause: 'pair',
    says: /they are swapped/,
    broken: withPair(({ client }) => ({
      certificatePem: client.privateKeyPem,
      privateKeyPem: client.certificatePem,
    })),
  },
  {
    name: 'the key is that of another certificate',
    cause: 'pair',
    says: /does not belong to the certificate/,
    broken: withPair(async ({ authority }) => ({ privateKeyPem: (await authority.client('edge-2')).privateKeyPem })),
  },
  {
    name: 'the key has a passphrase',
    cause: 'pair',
    says: /protected by a passphrase/,
    broken: withPair(({ client }) => ({
      privateKeyPem: createPrivateKey(client.privateKeyPem)
        .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'correct horse' })
        .toString(),
    })),
  },
  {
    name: 'the key file holds something else',
    cause: 'pair',
    says: /holds no private key in PEM form/,
    broken: withPair(() => ({ privateKeyPem: '{KEY}\n' })),
  },
  {
    name: 'the certificate is DER',
    cause: 'pair',
    says: /is binary \(DER\), and a delegate reads PEM/,
    does: /sallyport cert chain/,
    broken: (rig) => {
      const der = rig.file('client.crt', new X509Certificate(rig.client.certificatePem).raw);
      return { environment: rig.mtls({ DELEGATE_CLIENT_CERTIFICATE_PATH: der }) };
    },
  },
  {
    name: 'the certificate file is empty',
    cause: 'pair',
    says: /client\.crt is empty/,
    broken: withPair(() => ({ certificatePem: '' })),
  },
  {
    name: 'the signing request in the place of the certificate',
    cause: 'pair',
    says: /signing request, which a CA has yet to sign/,
    does: /sallyport cert sign/,
    broken: withPair(async () => ({
      certificatePem: (await createSigningRequest({ name: 'edge-1', keyAlgorithm: 'EC P-256' })).requestPem,
    })),
  },
  {
    name: 'a PKCS#12 file in the place of the certificate',
    cause: 'pair',
    says: /is a PKCS#12 file/,
    does: /openssl pkcs12 -in/,
    broken: (rig) => {
      const p12 = rig.file('client.p12', Buffer.from('3082010002010330820100', 'hex'));
      return { environment: rig.mtls({ DELEGATE_CLIENT_CERTIFICATE_PATH: p12 }) };
    },
  },
  {
    name: 'the key is DER',
    cause: 'pair',
    says: /is binary \(DER\)/,
    does: /openssl pkey -inform DER/,
    broken: (rig) => {
      const der = createPrivateKey(rig.client.privateKeyPem).export({ type: 'pkcs8', format: 'der' });
      return { environment: rig.mtls({ DELEGATE_CLIENT_CERTIFICATE_KEY_PATH: rig.file('client.key', der) }) };
    },
  },
  {
    name: 'the certificate was encoded once more for the Secret',
    cause: 'pair',
    says: /encoded in base64 once more/,
    broken: withPair(({ client }) => ({ certificatePem: btoa(client.certificatePem) })),
  },
  {
    name: 'an RSA key in PKCS#1, which the Java delegate cannot read',
    cause: 'pair',
    status: 'warn',
    says: /is PKCS#1/,
    does: /openssl pkcs8 -topk8 -nocrypt/,
    broken: withPair(async ({ authority }) => {
      const { certificatePem, privateKeyPem } = await issueClientCertificate({
        authority: authority.pair,
        name: 'edge-1',
        now: new Date(),
      });
      const pkcs1 = createPrivateKey(privateKeyPem).export({ type: 'pkcs1', format: 'pem' }).toString();
      return { certificatePem, privateKeyPem: pkcs1 };
    }),
  },
  {
    name: 'the certificate lost lines on its way',
    cause: 'pair',
    says: /does not parse/,
    broken: withPair(({ client }) => ({
      certificatePem: client.certificatePem.split('\n').toSpliced(3, 2).join('\n'),
    })),
  },
  {
    name: 'the intermediate stands before the client certificate',
    cause: 'chain',
    says: /client certificate in place 2 of 2/,
    broken: withPair(async (rig) => {
      const { intermediate, leaf } = await belowIntermediate(rig);
      return { ...leaf, certificatePem: intermediate.certificatePem + leaf.certificatePem };
    }),
  },
  {
    name: 'the intermediate is missing',
    cause: 'chain',
    says: /The manager says: .*needs the intermediate "CN=Acme issuing CA, O=Acme"/,
    broken: withPair(async ({ house }) => {
      const now = new Date();
      const subject = { commonName: 'Acme issuing CA', organization: 'Acme' };
      const authority = await createAuthority({ subject, issuer: house, keyAlgorithm: 'EC P-256', now });
      return issueClientCertificate({ authority, name: 'edge-1', keyAlgorithm: 'EC P-256', now });
    }),
  },
  {
    name: 'a certificate of another chain lies in the file',
    cause: 'chain',
    status: 'warn',
    says: /Besides its chain.*Somebody else/,
    broken: withPair(({ client, stranger }) => ({ certificatePem: client.certificatePem + stranger.certificatePem })),
  },
  {
    name: 'the CA itself is given to the delegate',
    cause: 'purpose',
    says: /is a CA certificate/,
    broken: withPair(({ authority }) => authority.pair),
  },
  {
    name: 'a server certificate of the same CA',
    cause: 'purpose',
    says: /not for TLS clients/,
    broken: withPair((rig) => rig.serverPair(['edge-1'], { authority: rig.authority })),
  },
  {
    name: 'a key of 1024 bits',
    cause: 'purpose',
    says: /1024 bits/,
    broken: withPair(({ authority }) =>
      opensslPair({ issuer: authority.pair, newKey: RSA_1024, extensions: ['extendedKeyUsage=clientAuth'] }),
    ),
  },
  {
    name: 'a key that may encrypt, and not sign',
    cause: 'purpose',
    says: /allows its key only keyEncipherment/,
    broken: withPair(({ authority }) =>
      opensslPair({ issuer: authority.pair, newKey: P256, extensions: ['keyUsage=critical,keyEncipherment'] }),
    ),
  },
  {
    name: 'another delegate signed it with its own certificate',
    cause: 'purpose',
    says: /The manager says: .*edge-1/,
    broken: withPair(({ client }) => {
      const pair = opensslPair({ issuer: client, newKey: P256, extensions: ['extendedKeyUsage=clientAuth'] });
      return { ...pair, certificatePem: pair.certificatePem + client.certificatePem };
    }),
  },
  {
    name: 'it expired',
    cause: 'validity',
    says: /expired 10 days ago by the manager's clock/,
    broken: withPair(({ authority }) => authority.client('edge-1', { now: new Date(Date.now() - 40 * DAY_MS) })),
  },
  {
    name: "it expired by the manager's clock, and not yet by this machine's",
    cause: 'validity',
    says: /expired (4|5|6) min ago by the manager's clock/,
    broken: async (rig) => {
      const made = new Date(Date.now() - DAY_MS - 5 * MINUTE_MS);
      const pair = await rig.authority.client('edge-1', { now: made, days: 1 });
      return { environment: rig.mtls({}, pair), now: () => Date.now() - 9 * MINUTE_MS };
    },
  },
  {
    name: 'it is not valid yet',
    cause: 'validity',
    says: /becomes valid only in (2 days|48 h)/,
    broken: withPair(({ authority }) => authority.client('edge-1', { now: new Date(Date.now() + 2 * DAY_MS) })),
  },
  {
    name: 'it expires in three days',
    cause: 'validity',
    status: 'warn',
    says: /valid for 3 days more/,
    broken: withPair(({ authority }) =>
      authority.client('edge-1', { now: new Date(Date.now() - 87 * DAY_MS), days: 90 }),
    ),
  },
  {
    name: 'the clock is an hour behind',
    cause: 'clock',
    says: /This clock is 60 min behind the manager's.*tokens for expired/,
    broken: (rig) => ({ environment: rig.mtls(), now: () => Date.now() - 60 * MINUTE_MS }),
  },
  {
    name: 'the clock is half an hour ahead',
    cause: 'clock',
    status: 'warn',
    says: /This clock is 30 min ahead/,
    broken: (rig) => ({ environment: rig.mtls(), now: () => Date.now() + 30 * MINUTE_MS }),
  },
  {
    name: "the clock is so wrong that the manager's certificate looks expired",
    cause: 'clock',
    says: /2 days ahead of the manager's.*certificate looks out of date/,
    broken: async (rig) => {
      const pair = await rig.serverPair(['localhost'], { now: new Date(Date.now() - 31 * DAY_MS), days: 30 });
      const port = await tlsServer(rig.closing, pair, (_request, response) => {
        response.setHeader('date', new Date(Date.now() - 2 * DAY_MS).toUTCString()).end('OK');
      });
      return { environment: rig.elsewhere(port) };
    },
  },
];
