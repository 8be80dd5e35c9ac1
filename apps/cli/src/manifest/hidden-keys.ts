const HIDDEN = '<PRIVATE KEY HIDDEN>';
const PRIVATE_KEY = /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----/;
const PEM_KEY = /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----[\s\S]*?-----END (?:[A-Z0-9]+ )*PRIVATE KEY-----/g;
const BASE64 = /[A-Za-z0-9+/]{40,}={0,2}/g;

/**
 * A diff to be shown. It goes to terminals, build logs and code reviews, whose readers could then be this delegate:
 * private keys, as PEM or as a Secret's base64, are left out. What is put there instead is no key, and `check` says so.
 */
export function hidePrivateKeys(diff: string): string {
  return diff
    .replace(PEM_KEY, HIDDEN)
    .replace(BASE64, (text) => (PRIVATE_KEY.test(Buffer.from(text, 'base64').toString('latin1')) ? HIDDEN : text));
}
