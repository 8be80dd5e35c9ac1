import { Secret } from '@sallyport/client';
import { normaliseDelegateToken } from '@sallyport/protocol';
import type { Environment } from './environment.ts';
import { missing, type SourceOf } from './missing-variable.ts';

/** The delegate token as the environment gives it. `problem` says what is wrong with its form, never what it is. */
export type TokenReading =
  | { readonly usable: true; readonly variable: string; readonly form: 'hex' | 'base64'; readonly hex: Secret }
  | { readonly usable: false; readonly variable: string; readonly problem: string; readonly remedy: string };

const GIVE = 'Give the 32 hex characters, or the base64 text that "sallyport token create" shows.';

/** Reads DELEGATE_TOKEN, or its older name ACCOUNT_SECRET. Whether the token is known is not looked at. */
export function readToken(environment: Environment, sourceOf: SourceOf): TokenReading {
  const variable = environment['DELEGATE_TOKEN']?.trim() ? 'DELEGATE_TOKEN' : 'ACCOUNT_SECRET';
  const text = environment[variable]?.trim() ?? '';
  if (text === '') {
    const { what, remedy } = missing('DELEGATE_TOKEN', 'Set it to a delegate token of the account.', sourceOf);
    return { usable: false, variable: 'DELEGATE_TOKEN', problem: what, remedy };
  }
  const hex = normaliseDelegateToken(text);
  if (hex !== null) {
    return { usable: true, variable, form: text.length === hex.length ? 'hex' : 'base64', hex: new Secret(hex) };
  }
  return { usable: false, variable, ...explain(variable, text) };
}

/** Names the mistake behind a text that is no token, by its form alone. */
function explain(variable: string, text: string): { problem: string; remedy: string } {
  const inner = decodedBase64(text);
  if (inner !== null && normaliseDelegateToken(inner) !== null) {
    const problem = `${variable} is encoded in base64 twice.`;
    return { problem, remedy: "Put the token into the Secret's stringData, or encode it only once for data." };
  }
  const quoted = /^(["'`]).*\1$/s.test(text);
  if (quoted && normaliseDelegateToken(text.slice(1, -1)) !== null) {
    return { problem: `${variable} has quotes around it that belong to the value.`, remedy: 'Remove the quotes.' };
  }
  if (/^(pat|sat)\./.test(text)) {
    return { problem: `${variable} holds an API key, which is another thing than a delegate token.`, remedy: GIVE };
  }
  if (text.startsWith('PUT_YOUR_')) {
    return { problem: `${variable} still holds the placeholder of the manifest.`, remedy: GIVE };
  }
  const remedy = /^[0-9a-f]+$/i.test(text) ? 'It was cut or doubled on its way: copy the whole token again.' : GIVE;
  return {
    problem: `${variable} is neither 32 hex characters nor the base64 of them (${text.length} characters).`,
    remedy,
  };
}

function decodedBase64(text: string): string | null {
  return /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? Buffer.from(text, 'base64').toString('latin1') : null;
}
