/** Shorter values are not masked: they occur by chance everywhere, and blanking them all makes a log unreadable. */
export const SHORTEST_MASKED = 4;
/** An encoded piece shorter than this says too little about where it came from. */
const SHORTEST_PIECE = 8;
/** Longer values are masked as they stand, line by line, and in base64 as tools wrap it: all forms of a long one are many. */
const LONGEST_IN_ALL_FORMS = 4096;
const IN_HEX = /^[0-9a-f]{8,}$/i;
/** Columns at which `base64` and `openssl base64` break their lines. */
const WRAPS = [76, 64];

/**
 * The texts by which a secret shows in an output: itself, each longer line of it, and as JSON, URLs, shell traces, hex and
 * base64 write it. This stops accidents (`set -x`, a dumped request, an `Authorization` header); whoever writes the script
 * can always encode a secret in a way that nobody foresees.
 */
export function formsOfSecret(secret: string): string[] {
  const value = secret.trim();
  const bytes = Buffer.from(value);
  if (bytes.length < SHORTEST_MASKED) return [];
  const forms = new Set([value, ...linesOf(value), ...wrapped(bytes)]);
  if (bytes.length <= LONGEST_IN_ALL_FORMS) {
    const written = [
      JSON.stringify(value).slice(1, -1),
      // A lone surrogate cannot be written in a URL.
      encodeURIComponent(value.toWellFormed()),
      // As Python's quote() and curl leave it in a path.
      encodeURIComponent(value.toWellFormed()).replaceAll('%2F', '/'),
      value.replaceAll("'", "'\\''"),
      value.replaceAll('\r\n', '\n'),
      value.replaceAll(/\r?\n/g, '\r\n'),
      // A key in hex, as a delegate's token is, is the same one in the other case.
      ...(IN_HEX.test(value) ? [value.toLowerCase(), value.toUpperCase()] : []),
    ];
    for (const form of [...written, ...inBase64(bytes), ...inHex(bytes)]) forms.add(form);
  }
  return [...forms];
}

/** Each line of a key or certificate shows alone when a program indents or numbers them. Its markers are no secret. */
function linesOf(value: string): string[] {
  const lines = value.split(/\r?\n/).map((line) => line.trim());
  if (lines.length === 1) return [];
  return lines.filter((line) => Buffer.byteLength(line) >= SHORTEST_PIECE && !line.startsWith('-----'));
}

/**
 * Base64 encodes three bytes at a time, so that a secret inside a longer text (`user:secret`) has one of three forms. The
 * characters at the edges that also hold bits of its neighbours are left out, but at the end of the text, where there are
 * none.
 */
function inBase64(bytes: Buffer): string[] {
  const forms: string[] = [];
  for (const before of [0, 1, 2]) {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    const whole = Math.floor(((before + bytes.length) * 8) / 6);
    const start = before === 0 ? 0 : before + 1;
    if (whole - start < SHORTEST_PIECE) continue;
    for (const form of [encoded.slice(start, whole), encoded.slice(start), encoded.slice(start).replace(/=+$/, '')]) {
      forms.push(form, form.replaceAll('+', '-').replaceAll('/', '_'));
    }
  }
  return forms;
}

function inHex(bytes: Buffer): string[] {
  const form = bytes.toString('hex');
  return form.length >= SHORTEST_PIECE ? [form, form.toUpperCase()] : [];
}

/** The lines of `base64` over the secret alone. */
function wrapped(bytes: Buffer): string[] {
  const form = bytes.toString('base64').slice(0, Math.floor((bytes.length * 8) / 6));
  return WRAPS.flatMap((columns) => {
    if (form.length <= columns) return [];
    return (form.match(new RegExp(`.{1,${columns}}`, 'g')) ?? []).filter((piece) => piece.length >= SHORTEST_PIECE);
  });
}
