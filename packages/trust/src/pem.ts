/** One `-----BEGIN X-----` ... `-----END X-----` block. `text` is the block as it stands, without what surrounds it. */
export interface PemBlock {
  readonly label: string;
  /** Null when the body is not base64, or carries headers (an encrypted key of old). */
  readonly der: Uint8Array<ArrayBuffer> | null;
  readonly text: string;
}

/** A BEGIN line without its END line, or the other way round. `label` is the one that has no partner. */
export class PemError extends Error {
  override readonly name = 'PemError';
  readonly label: string;

  constructor(message: string, label: string) {
    super(message);
    this.label = label;
  }
}

const boundary = /^-----(BEGIN|END) ([A-Z0-9][A-Z0-9 ]*)-----[ \t]*$/;

/**
 * The PEM blocks of a text, in order; text between them (comments, "Bag Attributes") is passed over, as OpenSSL does.
 * @throws PemError when a block is cut off or wrongly closed: a shortened bundle must not pass for a complete one.
 */
export function readPemBlocks(text: string): PemBlock[] {
  const blocks: PemBlock[] = [];
  let open: { readonly label: string; readonly lines: string[] } | null = null;
  for (const line of text.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/)) {
    const match = boundary.exec(line);
    if (match === null) {
      if (open !== null) open.lines.push(line.trim());
      continue;
    }
    const [, kind, label = ''] = match;
    if (kind === 'BEGIN') {
      if (open !== null) throw new PemError(`"BEGIN ${open.label}" has no END line before the next BEGIN`, open.label);
      open = { label, lines: [] };
      continue;
    }
    if (open === null) throw new PemError(`"END ${label}" has no BEGIN line`, label);
    if (open.label !== label) throw new PemError(`"BEGIN ${open.label}" is closed by "END ${label}"`, open.label);
    blocks.push(toBlock(label, open.lines));
    open = null;
  }
  if (open !== null) throw new PemError(`"BEGIN ${open.label}" has no END line`, open.label);
  return blocks;
}

/** Writes one block, 64 characters a line, with a line feed at the end. */
export function writePemBlock(label: string, der: Uint8Array): string {
  const lines = toBase64(der).match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

function toBlock(label: string, lines: readonly string[]): PemBlock {
  // "Proc-Type: 4,ENCRYPTED" and what else a key of old says of itself: an empty line ends it, and OpenSSL wants that line.
  const headers = lines.findLastIndex((line) => line.includes(':')) + 1;
  const body = lines.filter((line, index) => line !== '' || (headers > 0 && index === headers));
  const text = `-----BEGIN ${label}-----\n${body.join('\n')}\n-----END ${label}-----\n`;
  return { label, der: fromBase64(body.join('')), text };
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> | null {
  if (text === '' || text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return null;
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}
