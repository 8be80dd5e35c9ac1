import { type CliError, usageError } from '../errors.ts';

interface Explanation {
  readonly what: string;
  readonly remedy: string;
}

const BLOCKS: Readonly<Record<string, (file: string) => Explanation>> = {
  'X509 CRL': (file) => ({
    what: 'a revocation list (CRL)',
    remedy: `Look at it with "openssl crl -in ${file} -noout -text"; "sallyport endpoint crl" uploads one.`,
  }),
  'PUBLIC KEY': () => ({
    what: 'a public key',
    remedy: 'Name the certificate, or the private key that was made with it.',
  }),
  'TRUSTED CERTIFICATE': (file) => ({
    what: "a certificate in OpenSSL's own form (TRUSTED CERTIFICATE)",
    remedy: `Write it as an ordinary one: openssl x509 -in ${file} -out client.crt`,
  }),
  'OPENSSH PRIVATE KEY': (file) => ({
    what: "a private key in OpenSSH's own form, which no TLS client reads",
    remedy: `An RSA or EC key can be written as PKCS#8: ssh-keygen -p -m PKCS8 -f ${file} (it changes the file). Better make a key of its own with "sallyport cert csr".`,
  }),
  'DSA PRIVATE KEY': () => ({
    what: 'a DSA key, which TLS no longer takes',
    remedy: 'Make an RSA key: "sallyport cert client" or "sallyport cert csr".',
  }),
};

/** What a PEM block that is not looked into is. */
export const explainUnreadBlock = (file: string, label: string): Explanation =>
  BLOCKS[label]?.(file) ?? {
    what: `a PEM block "${label}"`,
    remedy: 'Name a certificate, a request, a private key or a Secret.',
  };

/** The error for a file in which nothing was found: what it is, as far as can be told from its first bytes. */
export function explainUnread(file: string, bytes: Buffer): CliError {
  if (bytes.length === 0) return usageError(`${file} is empty.`, 'Name a certificate, a request, a key or a Secret.');
  const magic = bytes.subarray(0, 4).toString('hex');
  if (magic === 'feedfeed' || magic === 'cececece') {
    return usageError(
      `${file} is a Java key store (JKS).`,
      `Write it as PKCS#12: keytool -importkeystore -srckeystore ${file} -destkeystore ${file}.p12 -deststoretype pkcs12`,
    );
  }
  if (magic.startsWith('fffe') || magic.startsWith('feff')) {
    return usageError(
      `${file} is UTF-16 text, as PowerShell's ">" writes it, and TLS libraries do not read that.`,
      'Write it as ASCII: Set-Content -Encoding ascii.',
    );
  }
  const text = bytes.toString('latin1');
  if (text.includes('-----BEGIN ')) {
    return usageError(
      `${file} holds "-----BEGIN", but no PEM block: each of its two marks has to be a line of its own, without blanks before it.`,
      'Use the whole, unchanged file; "\\n" in a variable has to become a line break.',
    );
  }
  const base64 = text.replaceAll(/\s/g, '');
  if (/^[A-Za-z0-9+/]{40,}={0,2}$/.test(base64) && /^(?:LS0t|MI)/.test(base64)) {
    return usageError(
      `${file} is base64 without PEM marks, such as a value of a Secret.`,
      base64.startsWith('LS0t')
        ? `Decode it: base64 -d ${file} > client.pem`
        : 'Put "-----BEGIN CERTIFICATE-----" (or what it is) and the END line around it.',
    );
  }
  if (bytes[0] === 0x30) {
    return usageError(
      `${file} begins as DER, and is cut off, damaged, or neither certificate, request, key, PKCS#7 nor PKCS#12.`,
      `Use the whole, unchanged file; "openssl asn1parse -inform DER -in ${file}" shows what is in it.`,
    );
  }
  return usageError(
    `${file} holds neither PEM, DER, PKCS#7, PKCS#12 nor a Kubernetes Secret.`,
    'Name a certificate, a request, a key or a Secret.',
  );
}
