import type { Secret } from '@sallyport/client';
import { encodeDelegateToken } from '@sallyport/protocol';
import type { Check } from './check.ts';
import type { Seen } from './seen.ts';

const HIDDEN = '[secret]';
/** A compact JWE: what a delegate makes of its token is as good as the token for twenty minutes. */
const JWE = /eyJ[\w-]+\.[\w-]*\.[\w-]+\.[\w-]+\.[\w-]+/g;

/**
 * The last look before anything leaves: whatever is a token, a password or a line of the key is taken out, however it
 * came into a text. No check puts one there; a server that sends back what it was sent could.
 */
export function redact(checks: readonly Check[], seen: Seen): Check[] {
  const clean = cleaner(seen);
  const cleanOrNull = (text: string | null): string | null => (text === null ? null : clean(text));
  return checks.map((check) => ({
    ...check,
    evidence: clean(check.evidence),
    remedy: cleanOrNull(check.remedy),
    readyToSend: cleanOrNull(check.readyToSend),
  }));
}

/** Takes out of one text what must not be seen. */
export function cleaner(seen: Seen): (text: string) => string {
  const secrets = secretTexts(seen);
  return (text) => secrets.reduce((left, secret) => left.replaceAll(secret, HIDDEN), text.replaceAll(JWE, HIDDEN));
}

/** Too short to be told from an ordinary word: a password "on" must not eat the text. */
const SHORTEST = 6;

function secretTexts({ setup, key }: Seen): string[] {
  const token = setup.token.usable ? setup.token.hex.reveal() : null;
  const credentials: readonly (Secret | null)[] = [setup.proxy?.authorization ?? null, ...setup.secrets];
  const texts = [
    ...(token === null ? [] : [encodeDelegateToken(token), token]),
    ...credentials.filter((secret) => secret !== null).map((secret) => secret.reveal()),
    ...(key?.text ?? '').split(/\r?\n/).filter((line) => /^[A-Za-z0-9+/=]{16,}$/.test(line.trim())),
  ];
  return [...new Set(texts)].filter((text) => text.length >= SHORTEST).sort((a, b) => b.length - a.length);
}
