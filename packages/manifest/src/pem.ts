/** Whether a text is what PEM files hold: at least one block with this label's ending. */
export function hasPemBlock(text: string, labelEnd: string): boolean {
  return new RegExp(`-----BEGIN (?:[A-Z0-9]+ )*${labelEnd}-----[\\s\\S]+-----END `).test(text);
}

/** Base64 of a text's UTF-8 bytes, as a Secret's `data` wants it. */
export function encodeBase64(text: string): string {
  let binary = '';
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** The text behind base64, or undefined when it is not base64 of UTF-8. */
export function decodeBase64(text: string): string | undefined {
  const packed = text.replace(/\s+/g, '');
  if (packed === '' || packed.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(packed)) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(
      Uint8Array.from(atob(packed), (char) => char.charCodeAt(0)),
    );
  } catch {
    return undefined; // not UTF-8: a caller that expects PEM treats it like any other wrong content
  }
}

/** PEM with Unix line ends and one at its end, so that equal certificates compare equal. */
export function normalizePem(text: string): string {
  return `${text.replace(/\r\n?/g, '\n').trim()}\n`;
}
