import { MAX_LOG_KEY_BYTES, SallyportError } from '@sallyport/protocol';

/**
 * The name of a log, opaque: compared byte by byte, never taken apart, never part of a path. `a/../b`, `a//b` and the
 * same letters in another Unicode form are all different logs.
 */
export interface LogKey {
  readonly text: string;
  readonly bytes: Buffer;
  /** The lowest bytes above every key that starts with this one; null when there are none. */
  afterAll(): Buffer | null;
}

/** Throws INVALID_REQUEST for a text that is too long for a key. */
export function logKeyOf(text: string): LogKey {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length > MAX_LOG_KEY_BYTES) {
    throw new SallyportError(
      'INVALID_REQUEST',
      `the key has ${bytes.length} bytes, and a key has at most ${MAX_LOG_KEY_BYTES}`,
    );
  }
  return keyOf(text, bytes);
}

export function storedKey(bytes: Uint8Array): LogKey {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return keyOf(buffer.toString('utf8'), buffer);
}

function keyOf(text: string, bytes: Buffer): LogKey {
  return { text, bytes, afterAll: () => successor(bytes) };
}

function successor(bytes: Buffer): Buffer | null {
  // UTF-8 has no byte 0xff, so the last byte can always be raised.
  const last = bytes.at(-1);
  if (last === undefined) return null;
  const after = Buffer.from(bytes);
  after[after.length - 1] = last + 1;
  return after;
}
