import { SallyportError } from '@sallyport/protocol';

/** A SHA-256 fingerprint in lower-case hex, from what people and tools write. Throws INVALID_REQUEST. */
export function readFingerprint(text: string): string {
  const digits = text.replaceAll(':', '').toLowerCase();
  if (/^[0-9a-f]{64}$/.test(digits)) return digits;
  throw new SallyportError('INVALID_REQUEST', `'${text.slice(0, 128)}' is no SHA-256 fingerprint.`, {
    remedy: 'Send its 64 hexadecimal digits, as "openssl x509 -fingerprint -sha256" shows them.',
  });
}

/** PostgreSQL stores no NUL, and nobody's log or terminal is to be written to by a line break in a name. */
export function refuseControlCharacters(field: string, text: string): void {
  if (!/\p{C}/u.test(text)) return;
  throw new SallyportError('INVALID_REQUEST', `${field} holds control characters.`, {
    remedy: 'Send it as one line of text.',
  });
}
