import { webcrypto } from 'node:crypto';
import { SallyportError } from '@sallyport/protocol';
import { compactDecrypt, errors } from 'jose';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { boundedCache } from '../bounded-cache.ts';
import type { Bus } from '../bus/bus.ts';
import type { Clock } from '../clock.ts';

/** A delegate token of an account, as its JWEs are checked with it. */
export interface TokenKey {
  readonly id: string;
  /** The 16 bytes behind the token's 32 hex characters. */
  readonly key: Uint8Array;
  readonly status: 'ACTIVE' | 'REVOKED';
  /** Epoch milliseconds from which an ACTIVE token counts as revoked; null: never. */
  readonly revokeAfter: number | null;
}

export interface TokenKeySource {
  findForAuthentication(accountId: string): Promise<readonly TokenKey[]>;
}

interface Verified {
  readonly accountId: string;
  readonly tokenId: string;
  readonly expiresAt: number;
  /** What the delegate's clock said when it made the JWE; null when the JWE does not say. */
  readonly issuedAt: number | null;
  readonly revokeAfter: number | null;
  /** The account's generation when it was verified: of another one, it is verified again. */
  readonly generation: number;
}

/** As it is used: imported once, not for each JWE. */
interface ImportedKey extends Omit<TokenKey, 'key'> {
  readonly key: webcrypto.CryptoKey;
}

interface KnownKeys {
  readonly keys: readonly ImportedKey[];
  /** The account's generation before they were read. */
  readonly generation: number;
}

const Claims = Type.Object({
  sub: Type.Optional(Type.String()),
  exp: Type.Number(),
  // Only for the words of a refusal: a JWE with another kind of value in it is as good as one without.
  iat: Type.Optional(Type.Unknown()),
});
type Claims = Static<typeof Claims>;
const claims = Compile(Claims);
const SCHEME = /^Delegate +(\S{1,4096})$/;
/** Agents use one JWE for about ten minutes, so verifying is done once for each and not at each heartbeat. */
const MAX_VERIFIED = 50_000;
const MAX_ACCOUNTS = 10_000;

/** Checks the JWE that a delegate makes from its token: `Authorization: Delegate <JWE>`, alg dir, enc A128GCM. */
export class AgentTokens {
  readonly #source: TokenKeySource;
  readonly #bus: Bus;
  readonly #clock: Clock;
  /** By the whole header, so that one seen before needs no look inside. */
  readonly #verified = boundedCache<string, Verified>(MAX_VERIFIED);
  readonly #keys = boundedCache<string, KnownKeys>(MAX_ACCOUNTS);
  readonly #generations = new Map<string, number>();
  #resyncs = 0;

  constructor(source: TokenKeySource, bus: Bus, clock: Clock) {
    this.#source = source;
    this.#bus = bus;
    this.#clock = clock;
    const changed = ({ accountId }: { accountId: string }) => {
      this.#generations.set(accountId, this.#generation(accountId) + 1);
    };
    bus.subscribe('tokens-changed', changed);
    // Deleting an account deletes its tokens.
    bus.subscribe('trust-changed', changed);
    bus.subscribe('resync', () => {
      this.#resyncs += 1;
      this.#verified.clear();
      this.#keys.clear();
    });
  }

  /**
   * The id of the account's token that made the JWE. When it returns, the token is active, the JWE has not expired and
   * its subject is the account. Throws SallyportError INVALID_TOKEN, REVOKED_TOKEN or EXPIRED_TOKEN.
   */
  async verify(accountId: string, authorization: string | undefined): Promise<string> {
    const header = authorization ?? '';
    const verified = this.#recall(accountId, header) ?? (await this.#decrypt(accountId, header));
    const now = this.#clock.now().getTime();
    if (verified.revokeAfter !== null && now >= verified.revokeAfter) throw revoked();
    if (now >= verified.expiresAt) throw expired(verified, now);
    return verified.tokenId;
  }

  /** As `verify`, for a JWE that was verified before and is still good; null when that is not so, whatever the reason. */
  recall(accountId: string, authorization: string | undefined): string | null {
    const verified = this.#recall(accountId, authorization ?? '');
    if (verified === null) return null;
    const now = this.#clock.now().getTime();
    const until = Math.min(verified.expiresAt, verified.revokeAfter ?? Number.POSITIVE_INFINITY);
    return now < until ? verified.tokenId : null;
  }

  /** Whether there is an account of this name with tokens, revoked ones included. */
  async knows(accountId: string): Promise<boolean> {
    return (await this.#keysOf(accountId)).keys.length > 0;
  }

  /** Which of the tokens are active now, for streams that outlive their JWE. */
  async activeIds(accountId: string): Promise<ReadonlySet<string>> {
    const now = this.#clock.now().getTime();
    const keys = await this.#source.findForAuthentication(accountId);
    return new Set(
      keys
        .filter((key) => key.status === 'ACTIVE' && (key.revokeAfter === null || now < key.revokeAfter))
        .map(({ id }) => id),
    );
  }

  /** Milliseconds until the token counts as revoked: 0 or less when it does, Infinity when nothing of the kind is ahead. */
  async timeLeft(accountId: string, tokenId: string): Promise<number> {
    const { keys } = await this.#keysOf(accountId);
    const token = keys.find(({ id }) => id === tokenId);
    if (token === undefined || token.status === 'REVOKED') return 0;
    return token.revokeAfter === null ? Number.POSITIVE_INFINITY : token.revokeAfter - this.#clock.now().getTime();
  }

  /** What was verified under the tokens as they are now. */
  #recall(accountId: string, header: string): Verified | null {
    if (!this.#bus.inStep) return null;
    const kept = this.#verified.get(header);
    return kept?.accountId === accountId && kept.generation === this.#generation(accountId) ? kept : null;
  }

  async #decrypt(accountId: string, header: string): Promise<Verified> {
    const jwe = SCHEME.exec(header)?.[1];
    if (jwe === undefined) {
      throw new SallyportError('INVALID_TOKEN', 'The request carries no delegate token.', {
        remedy: 'Send Authorization: Delegate <JWE made from the delegate token>.',
      });
    }
    const { keys, generation } = await this.#keysOf(accountId);
    for (const key of keys) {
      const plaintext = await decryptWith(key.key, jwe);
      if (plaintext === null) continue;
      if (key.status === 'REVOKED') throw revoked();
      const { sub, exp, iat } = readClaims(plaintext);
      // A token is one account's. A JWE made for another account with the same secret must not pass as this one's.
      if (sub !== accountId) {
        throw new SallyportError(
          'INVALID_TOKEN',
          `The delegate's JWE is for account '${sub ?? ''}', not '${accountId}'.`,
          {
            remedy: 'Check ACCOUNT_ID of the delegate.',
          },
        );
      }
      const verified = {
        ...{ accountId, tokenId: key.id, revokeAfter: key.revokeAfter, generation },
        expiresAt: exp * 1000,
        issuedAt: typeof iat === 'number' ? iat * 1000 : null,
      };
      if (this.#bus.inStep) this.#verified.set(header, verified);
      return verified;
    }
    throw new SallyportError('INVALID_TOKEN', `No delegate token of account '${accountId}' made this JWE.`, {
      remedy: 'Check ACCOUNT_ID and DELEGATE_TOKEN of the delegate.',
    });
  }

  /** The account's tokens, from memory while nothing was announced about them. Their times are looked at by the caller. */
  async #keysOf(accountId: string): Promise<KnownKeys> {
    const generation = this.#generation(accountId);
    const kept = this.#keys.get(accountId);
    if (kept?.generation === generation && this.#bus.inStep) return kept;
    const known = {
      keys: await Promise.all((await this.#source.findForAuthentication(accountId)).map(imported)),
      generation,
    };
    // An account without tokens is not kept: invented ids must not push out the real ones.
    if (this.#bus.inStep && known.keys.length > 0) this.#keys.set(accountId, known);
    return known;
  }

  #generation(accountId: string): number {
    return this.#resyncs + (this.#generations.get(accountId) ?? 0);
  }
}

function revoked(): SallyportError {
  return new SallyportError('REVOKED_TOKEN', 'The delegate token was revoked.', {
    remedy: 'Give the delegate an active token of its account (DELEGATE_TOKEN) and restart it.',
  });
}

/** How far the delegate's clock is behind is told by when it thinks it made the JWE: the expiry alone hides the JWE's life. */
function expired({ expiresAt, issuedAt }: Verified, now: number): SallyportError {
  const message = `The delegate's JWE expired ${span(now - expiresAt)} ago by the manager's clock.`;
  const remedy =
    issuedAt === null || issuedAt > expiresAt
      ? "Check the clock of the delegate's machine; a delegate renews its JWE by itself."
      : `The clock of the delegate's machine is ${span(now - issuedAt)} behind, or the JWE was made that long ago: set the clock by NTP; a delegate renews its JWE by itself.`;
  return new SallyportError('EXPIRED_TOKEN', message, { remedy });
}

/** `20 min 47 s`: the two largest parts that are not zero. */
function span(milliseconds: number): string {
  const seconds = Math.max(Math.round(milliseconds / 1000), 0);
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ] as const;
  const said = parts.filter(([count]) => count > 0).slice(0, 2);
  return said.length === 0 ? '0 s' : said.map(([count, unit]) => `${count} ${unit}`).join(' ');
}

async function imported({ key, ...rest }: TokenKey): Promise<ImportedKey> {
  return { ...rest, key: await webcrypto.subtle.importKey('raw', key, 'AES-GCM', false, ['decrypt']) };
}

/** Null when the key is not the one; throws INVALID_TOKEN when the text is no JWE of the expected kind at all. */
async function decryptWith(key: webcrypto.CryptoKey, jwe: string): Promise<Uint8Array | null> {
  try {
    const options = { keyManagementAlgorithms: ['dir'], contentEncryptionAlgorithms: ['A128GCM'] };
    return (await compactDecrypt(jwe, key, options)).plaintext;
  } catch (error) {
    if (error instanceof errors.JWEDecryptionFailed) return null;
    throw invalidFormat();
  }
}

function readClaims(plaintext: Uint8Array): Claims {
  try {
    return claims.Parse(JSON.parse(new TextDecoder().decode(plaintext)));
  } catch {
    throw invalidFormat();
  }
}

function invalidFormat(): SallyportError {
  return new SallyportError('INVALID_TOKEN', 'Invalid delegate token format', {
    remedy: 'The token has to be a compact JWE with alg "dir", enc "A128GCM" and the claims sub and exp.',
  });
}
