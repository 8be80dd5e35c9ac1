const HEX_SECRET = /^[0-9a-f]{32}$/i;

/**
 * The 32-hex-character secret behind a delegate token, lower case. Manifests hand the process the hex itself, Helm and
 * `docker run` its base64, so everything that reads a token accepts both.
 * Returns null when the text is neither; whether the token is known or active is not looked at.
 */
export function normaliseDelegateToken(text: string): string | null {
  const trimmed = text.trim();
  if (HEX_SECRET.test(trimmed)) return trimmed.toLowerCase();
  if (!/^[A-Za-z0-9+/]{43}=$/.test(trimmed)) return null;
  const decoded = atob(trimmed);
  return HEX_SECRET.test(decoded) ? decoded.toLowerCase() : null;
}

/** The form in which the API shows a token: base64 of its hex text. */
export function encodeDelegateToken(hexSecret: string): string {
  return btoa(hexSecret);
}

const TOKEN_FORMS = /(?<![A-Za-z0-9])(?:[0-9a-f]{32}|[A-Za-z0-9]{43}=)(?![A-Za-z0-9=])/gi;

/** Everything in the text that has the form of a delegate token, whether one or not. */
export function delegateTokensIn(text: string): string[] {
  return (text.match(TOKEN_FORMS) ?? []).filter((found) => normaliseDelegateToken(found) !== null);
}
