import type { Problem } from '../missing-variable.ts';

/** What a certificate file holds in the place of PEM certificates; null when that cannot be told. */
export function otherThanCertificates(path: string, text: string): Problem | null {
  const other = container(path, text) ?? request(path, text);
  if (other !== null) return other;
  if (/-----BEGIN PKCS7-----/.test(text)) {
    return {
      what: `${path} is PKCS#7, and a delegate reads PEM certificates.`,
      remedy: `Take the certificates out, the client's own first: sallyport cert chain ${path} --out client.crt`,
    };
  }
  if (/PRIVATE KEY-----/.test(text)) {
    return {
      what: `${path} holds a private key, and no certificate.`,
      remedy: 'Put the certificate that was made with that key there.',
    };
  }
  return text.startsWith('0')
    ? {
        what: `${path} is binary (DER), and a delegate reads PEM.`,
        remedy: `Write it as PEM: sallyport cert chain ${path} --out client.crt`,
      }
    : null;
}

/** What a key file holds in the place of a PEM key that OpenSSL reads; null when that cannot be told. */
export function otherThanKey(path: string, text: string): Problem | null {
  const other = container(path, text) ?? request(path, text);
  if (other !== null) return other;
  if (/-----BEGIN OPENSSH PRIVATE KEY-----/.test(text)) {
    return {
      what: `${path} holds a key in OpenSSH's own form, which no TLS client reads.`,
      remedy: 'Issue a pair for the delegate: "sallyport cert client".',
    };
  }
  if (/PRIVATE KEY-----/.test(text)) return null;
  if (/-----BEGIN CERTIFICATE-----/.test(text)) {
    return {
      what: `${path} holds a certificate, and no private key.`,
      remedy: 'Put the key of the certificate there.',
    };
  }
  return text.startsWith('0')
    ? {
        what: `${path} is binary (DER), and a delegate reads PEM.`,
        remedy: `Write it as PEM: openssl pkey -inform DER -in ${path} -out client.key`,
      }
    : null;
}

/** Of a binary file read as text only what is ASCII stays: a PKCS#12 file begins with its version, the INTEGER 3. */
function container(path: string, text: string): Problem | null {
  if (text.trim() === '')
    return { what: `${path} is empty.`, remedy: 'Write the file anew: whatever wrote it failed.' };
  if (text.startsWith('0') && text.slice(1, 10).includes('\u0002\u0001\u0003')) {
    return {
      what: `${path} is a PKCS#12 file, and a delegate reads PEM.`,
      remedy: `Take it apart: openssl pkcs12 -in ${path} -nokeys -out client.crt, and with -nocerts -nodes -out client.key`,
    };
  }
  if (text.startsWith('\ufffd\ufffd') && text.includes('\u0000')) {
    return {
      what: `${path} is UTF-16 text, as PowerShell's ">" writes it.`,
      remedy: 'Write it as ASCII: Set-Content -Encoding ascii.',
    };
  }
  const decoded = /^[A-Za-z0-9+/=\s]+$/.test(text) ? Buffer.from(text, 'base64').toString('latin1') : '';
  if (decoded.includes('-----BEGIN ')) {
    return {
      what: `${path} is encoded in base64 once more: what it holds is not PEM, but becomes PEM when it is decoded.`,
      remedy: "Put the PEM text into the Secret's stringData, or encode it only once for data.",
    };
  }
  return null;
}

function request(path: string, text: string): Problem | null {
  if (!/-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----/.test(text) || /-----BEGIN CERTIFICATE-----/.test(text))
    return null;
  return {
    what: `${path} holds a signing request, which a CA has yet to sign.`,
    remedy: 'Have it signed ("sallyport cert sign"), and put the certificate that comes back there.',
  };
}
