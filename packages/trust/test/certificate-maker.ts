// Certificates for tests, right ones and wrong ones: the maker signs whatever the test asks for. P-256 keys: they cost nothing.
import { createHash, X509Certificate } from 'node:crypto';
import type { CaAuthority } from '../src/ca-authority.ts';
import { Purpose } from '../src/certificate-facts.ts';
import { describeCertificate } from '../src/client-certificate.ts';
import {
  authorityKeyIdentifier,
  basicConstraints,
  buildCertificate,
  extendedKeyUsage,
  keyUsage,
  subjectKeyIdentifier,
} from '../src/issuance/certificate-builder.ts';
import type { Der } from '../src/issuance/der-writer.ts';
import { type SubjectInput, writeName } from '../src/issuance/name-writer.ts';
import { exportPrivateKey, exportPublicKey, generateKeyPair, type KeyPair } from '../src/issuance/signing.ts';
import { writePemBlock } from '../src/pem.ts';

export interface Made {
  readonly pem: string;
  readonly keyPem: string;
  readonly x509: X509Certificate;
  /** Usable as an authority of an endpoint and as the facts of a client. */
  readonly facts: CaAuthority;
  readonly der: Der;
  readonly name: Der;
  readonly keyId: Der;
  readonly keys: KeyPair;
}

export interface Wish {
  readonly subject: SubjectInput | string;
  /** Absent: self-signed. */
  readonly issuer?: Made;
  readonly extensions?: readonly Der[];
  readonly keyIds?: boolean;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly keys?: KeyPair;
  readonly serialNumber?: Uint8Array;
}

const DAY = 86_400_000;
export const daysFromNow = (days: number): Date => new Date(Math.floor(Date.now() / 1000) * 1000 + days * DAY);

export async function make(wish: Wish): Promise<Made> {
  const keys = wish.keys ?? (await generateKeyPair('EC P-256'));
  const publicKey = await exportPublicKey(keys.publicKey);
  const name = writeName(typeof wish.subject === 'string' ? { commonName: wish.subject } : wish.subject);
  const keyId = new Uint8Array(createHash('sha1').update(publicKey).digest());
  const ids =
    wish.keyIds === false ? [] : [subjectKeyIdentifier(keyId), authorityKeyIdentifier(wish.issuer?.keyId ?? keyId)];
  const der = await buildCertificate(
    {
      serialNumber: wish.serialNumber ?? crypto.getRandomValues(new Uint8Array(8)),
      issuer: wish.issuer?.name ?? name,
      subject: name,
      notBefore: wish.notBefore ?? daysFromNow(-1),
      notAfter: wish.notAfter ?? daysFromNow(365),
      publicKey,
      extensions: [...(wish.extensions ?? []), ...ids],
    },
    (wish.issuer?.keys ?? keys).privateKey,
  );
  const pem = writePemBlock('CERTIFICATE', der);
  const x509 = new X509Certificate(pem);
  const facts = { ...describeCertificate(x509), pem };
  return {
    pem,
    keyPem: writePemBlock('PRIVATE KEY', await exportPrivateKey(keys.privateKey)),
    x509,
    facts,
    der,
    name,
    keyId,
    keys,
  };
}

export function makeCa(wish: Wish & { readonly pathLength?: number }): Promise<Made> {
  return make({ extensions: [basicConstraints(true, wish.pathLength), keyUsage('keyCertSign', 'cRLSign')], ...wish });
}

export function makeClient(wish: Wish & { readonly issuer: Made }): Promise<Made> {
  return make({
    extensions: [basicConstraints(false), keyUsage('digitalSignature'), extendedKeyUsage(Purpose.CLIENT_AUTH)],
    ...wish,
  });
}
