const HIDDEN_KEY = '<PRIVATE KEY HIDDEN>';
const HIDDEN_TOKEN = '<TOKEN HIDDEN>';
const HIDDEN_PASSWORD = '<PASSWORD HIDDEN>';
const PRIVATE_KEY = /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----/;
const PEM_KEY = /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----[\s\S]*?-----END (?:[A-Z0-9]+ )*PRIVATE KEY-----/g;
const BASE64 = /[A-Za-z0-9+/]{40,}={0,2}/g;
const TOKEN = /^[0-9a-f]{32}$/i;
const NAMED_TOKEN =
  /((?:DELEGATE_TOKEN|UPGRADER_TOKEN|ACCOUNT_SECRET|delegateToken)["']?[ \t]*[:=][ \t]*["']?)[0-9a-f]{32}/gi;
const NAMED_PASSWORD = /((?:PROXY_PASSWORD|proxyPassword)["']?[ \t]*[:=][ \t]*)("[^"\n]*"|'[^'\n]*'|[^\s"']+)/g;

/**
 * A diff to be shown. It goes to terminals, build logs and code reviews, whose readers could then be this delegate:
 * private keys and delegate tokens, as they are or as a Secret's base64, are left out, and so are a proxy's passwords. What is put
 * there instead is no key, and `check` says so.
 */
export function hideSecrets(diff: string): string {
  return diff
    .replace(PEM_KEY, HIDDEN_KEY)
    .replace(NAMED_TOKEN, `$1${HIDDEN_TOKEN}`)
    .replace(NAMED_PASSWORD, `$1${HIDDEN_PASSWORD}`)
    .replace(BASE64, (text) => {
      const decoded = Buffer.from(text, 'base64').toString('latin1');
      if (PRIVATE_KEY.test(decoded)) return HIDDEN_KEY;
      return TOKEN.test(decoded) ? HIDDEN_TOKEN : text;
    });
}
