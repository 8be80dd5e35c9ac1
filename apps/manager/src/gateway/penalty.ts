import type { Socket } from 'node:net';
import type { SallyportError } from '@sallyport/protocol';
import { RETRY_AFTER_SECONDS } from './account-limits.ts';

/**
 * Answers "too many" late. A client that does not wait as told would otherwise be answered as fast as it asks, and its
 * flood would cost the others nearly as much as serving it; held back, each of its connections gets one answer a second.
 */
export class Penalty {
  readonly #ms: number;
  readonly #held = new WeakSet<Socket>();

  constructor(ms: number = RETRY_AFTER_SECONDS * 1_000) {
    this.#ms = ms;
  }

  /** Rejects with the error when the time is over or the connection gone. */
  async serve(socket: Socket, error: SallyportError): Promise<never> {
    // Requests sent ahead, without waiting for an answer, would pile up here: no delegate does that.
    if (this.#held.has(socket)) {
      socket.destroy();
      throw error;
    }
    this.#held.add(socket);
    await new Promise<void>((resolve) => {
      const over = () => {
        clearTimeout(timer);
        socket.off('close', over);
        resolve();
      };
      const timer = setTimeout(over, this.#ms);
      socket.once('close', over);
    });
    this.#held.delete(socket);
    throw error;
  }
}
