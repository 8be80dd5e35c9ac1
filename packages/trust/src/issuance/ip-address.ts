/** The 4 or 16 bytes of an IP address. @throws TypeError when the text is none. */
export function ipAddressBytes(text: string): Uint8Array<ArrayBuffer> {
  if (/^\d{1,3}(?:\.\d{1,3}){3}$/.test(text)) {
    const bytes = text.split('.').map(Number);
    if (bytes.every((byte) => byte < 256)) return Uint8Array.from(bytes);
  } else if (text.includes(':') && /^[0-9a-fA-F:.]+$/.test(text) && URL.canParse(`http://[${text}]`)) {
    return ipv6Bytes(new URL(`http://[${text}]`).hostname.slice(1, -1));
  }
  throw new TypeError(`"${text}" is not an IP address`);
}

/** From the URL parser's form: lower case, hex groups only, at most one `::`. */
function ipv6Bytes(canonical: string): Uint8Array<ArrayBuffer> {
  const [head = '', tail = ''] = canonical.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === '' ? [] : tail.split(':');
  const groups = [...before, ...Array<string>(8 - before.length - after.length).fill('0'), ...after];
  return Uint8Array.from(
    groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]),
  );
}
