// A refused client chooses the subject of its certificate, a delegate its name: printed raw, the escape sequences in
// them would rewrite the operator's screen. Control, format (bidi) and line separator characters are shown as escapes.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** Text that came from elsewhere, safe to print in one line or, with its own line feeds kept, in several. */
export function printable(text: string, options: { readonly keepLines?: boolean } = {}): string {
  return text.replace(UNSAFE, (character) => {
    if (character === '\n' && options.keepLines === true) return character;
    const code = character.codePointAt(0) ?? 0;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
}
