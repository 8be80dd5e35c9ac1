import { KEY_USAGES, type KeyUsage } from '../certificate-facts.ts';
import type { SubjectAlternativeName } from '../general-name.ts';
import {
  asciiBytes,
  boolean,
  context,
  contextPrimitive,
  type Der,
  integer,
  namedBits,
  octetString,
  oid,
  sequence,
  smallInteger,
  time,
} from './der-writer.ts';
import { ipAddressBytes } from './ip-address.ts';
import { signed } from './signing.ts';

export interface CertificateTemplate {
  /** Big-endian; positive, at most 20 bytes (RFC 5280 4.1.2.2). */
  readonly serialNumber: Uint8Array;
  /** DER of the names, copied as they are: an issuer's name must match its certificate byte for byte. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array;
  /** Without any, the certificate is X.509 v1. */
  readonly extensions: readonly Der[];
}

/** Builds and signs a certificate (RFC 5280 4.1). It writes what it is told: who may ask is decided above. */
export function buildCertificate(template: CertificateTemplate, signingKey: CryptoKey): Promise<Der> {
  const { serialNumber, issuer, subject, notBefore, notAfter, publicKey, extensions } = template;
  return signed((algorithm) => {
    const fields = [
      integer(serialNumber),
      algorithm,
      issuer,
      sequence(time(notBefore), time(notAfter)),
      subject,
      publicKey,
    ];
    if (extensions.length === 0) return sequence(...fields);
    return sequence(context(0, smallInteger(2)), ...fields, context(3, sequence(...extensions)));
  }, signingKey);
}

export function extension(id: string, critical: boolean, value: Uint8Array): Der {
  return critical ? sequence(oid(id), boolean(true), octetString(value)) : sequence(oid(id), octetString(value));
}

export function basicConstraints(isCa: boolean, pathLength?: number): Der {
  const parts = isCa ? [boolean(true)] : [];
  if (pathLength !== undefined) parts.push(smallInteger(pathLength));
  return extension('2.5.29.19', true, sequence(...parts));
}

export function keyUsage(...uses: readonly KeyUsage[]): Der {
  return extension('2.5.29.15', true, namedBits(uses.map((use) => KEY_USAGES.indexOf(use))));
}

export function extendedKeyUsage(...purposes: readonly string[]): Der {
  return extension('2.5.29.37', false, sequence(...purposes.map(oid)));
}

export function subjectKeyIdentifier(id: Uint8Array): Der {
  return extension('2.5.29.14', false, octetString(id));
}

export function authorityKeyIdentifier(id: Uint8Array): Der {
  return extension('2.5.29.35', false, sequence(contextPrimitive(0, id)));
}

/** @throws TypeError for a type that is not dns, email, uri or ip, or for text that the type can't carry. */
export function subjectAlternativeName(names: readonly SubjectAlternativeName[]): Der {
  const entries = names.map(({ type, value }) => {
    switch (type) {
      case 'email':
        return contextPrimitive(1, asciiBytes(value));
      case 'dns':
        return contextPrimitive(2, asciiBytes(value));
      case 'uri':
        return contextPrimitive(6, asciiBytes(value));
      case 'ip':
        return contextPrimitive(7, ipAddressBytes(value));
      default:
        throw new TypeError(`a subject alternative name of type ${type} can't be written`);
    }
  });
  return extension('2.5.29.17', false, sequence(...entries));
}
