import { normaliseDelegateToken } from '@sallyport/protocol';
import type { Secret } from './secret.ts';

const LIFETIME_SECONDS = 20 * 60;
/** Half the life: a token in use has ten minutes left at least, which covers a slow request and a skewed clock. */
const RENEW_AFTER_SECONDS = 10 * 60;

export interface AgentTokenOptions {
  readonly accountId: string;
  /** The delegate token, hex or base64 of the hex. */
  readonly token: Secret;
  /** Who made it, for the manager's log: the delegate's name. */
  readonly issuer: string;
  /** Origin of the manager. */
  readonly audience: string;
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

/**
 * Makes the `Authorization` value of the agent protocol: `Delegate <JWE>`, direct encryption with the 16 bytes of the
 * delegate token as AES key and no key derivation. One JWE serves ten minutes.
 */
export class AgentTokenSource {
  readonly #options: AgentTokenOptions;
  readonly #key: Uint8Array;
  readonly #now: () => number;
  #cached: { readonly value: Promise<string>; readonly renewAt: number } | null = null;

  /** Throws TypeError when the token is neither hex nor base64 of hex; the text never shows it. */
  constructor(options: AgentTokenOptions) {
    const hex = normaliseDelegateToken(options.token.reveal());
    if (hex === null) throw new TypeError('The delegate token is neither 32 hex characters nor the base64 of them.');
    this.#options = options;
    this.#key = Buffer.from(hex, 'hex');
    this.#now = options.now ?? Date.now;
  }

  authorization(): Promise<string> {
    const now = Math.floor(this.#now() / 1000);
    // A clock that was set back leaves a token from the future: outside [issued, renewAt) a new one is made.
    if (this.#cached === null || now >= this.#cached.renewAt || now < this.#cached.renewAt - RENEW_AFTER_SECONDS) {
      this.#cached = { value: this.#encrypt(now), renewAt: now + RENEW_AFTER_SECONDS };
    }
    return this.#cached.value;
  }

  async #encrypt(issuedAt: number): Promise<string> {
    const { accountId, issuer, audience } = this.#options;
    // Loaded here: the command line speaks to the API with a key, and needs none of it.
    const { EncryptJWT } = await import('jose');
    const jwe = await new EncryptJWT({})
      .setProtectedHeader({ alg: 'dir', enc: 'A128GCM', typ: 'JWT' })
      .setSubject(accountId)
      .setIssuer(issuer)
      .setAudience([audience])
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + LIFETIME_SECONDS)
      .setJti(crypto.randomUUID())
      .encrypt(this.#key);
    return `Delegate ${jwe}`;
  }
}
