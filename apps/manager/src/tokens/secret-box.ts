import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const VERSION = 'v1';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Where a sealed secret belongs. It opens nowhere else. */
export type SecretPlace =
  | { readonly accountId: string; readonly tokenId: string }
  | { readonly accountId: string; readonly webhookId: string }
  | { readonly accountId: string; readonly taskId: string };

/**
 * Secrets encrypted at rest with AES-256-GCM under one master key: a copy of the database alone tells nothing.
 *
 * The place is authenticated with the secret. Otherwise whoever can write to the database, but has no master key, could
 * copy a token that they know into another account's row and connect as one of its delegates.
 */
export class SecretBox {
  readonly #key: Buffer;

  constructor(masterKey: Buffer) {
    if (masterKey.length !== KEY_BYTES)
      throw new TypeError(`a master key has ${KEY_BYTES} bytes, not ${masterKey.length}`);
    this.#key = Buffer.from(masterKey);
  }

  /** `v1.<nonce>.<ciphertext and tag>`, base64url. The nonce is random: under one key good for 2^32 secrets. */
  seal(secret: Buffer, place: SecretPlace): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(context(place));
    const sealed = Buffer.concat([cipher.update(secret), cipher.final(), cipher.getAuthTag()]);
    return `${VERSION}.${nonce.toString('base64url')}.${sealed.toString('base64url')}`;
  }

  /** The secret, unaltered and sealed for this place. Throws SecretBoxError for anything else. */
  open(text: string, place: SecretPlace): Buffer {
    const [version, nonce, sealed, ...rest] = text.split('.');
    if (version !== VERSION || nonce === undefined || sealed === undefined || rest.length > 0) {
      throw new SecretBoxError(place, `its format is not ${VERSION}`);
    }
    const bytes = Buffer.from(sealed, 'base64url');
    if (bytes.length < TAG_BYTES) throw new SecretBoxError(place, 'it is cut short');
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.#key, Buffer.from(nonce, 'base64url'), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(context(place));
      decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
      return Buffer.concat([decipher.update(bytes.subarray(0, -TAG_BYTES)), decipher.final()]);
    } catch {
      throw new SecretBoxError(place, 'it was altered, moved, or sealed with another master key');
    }
  }
}

export class SecretBoxError extends Error {
  override readonly name = 'SecretBoxError';

  constructor(place: SecretPlace, reason: string) {
    const [what, id] = kindOf(place);
    super(`The secret of ${what} ${id} of account ${place.accountId} cannot be decrypted: ${reason}.`);
  }
}

function kindOf(place: SecretPlace): readonly [what: string, id: string] {
  if ('tokenId' in place) return ['delegate token', place.tokenId];
  return 'webhookId' in place ? ['webhook signing secret', place.webhookId] : ['task', place.taskId];
}

function context(place: SecretPlace): Buffer {
  const [what, id] = kindOf(place);
  return Buffer.from(JSON.stringify([`sallyport ${what}`, VERSION, place.accountId, id]));
}
