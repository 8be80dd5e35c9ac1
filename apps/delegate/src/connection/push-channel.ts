import type { ManagerStream, StreamEnd } from '@sallyport/client';
import type { TaskEvent } from '@sallyport/protocol';
import type { Logger } from 'pino';
import type { AgentApi } from './agent-api.ts';

/** The push stream of one registration, across changes of the client certificate. */
export class PushChannel {
  readonly #api: AgentApi;
  readonly #delegateId: string;
  readonly #onEvents: (events: readonly TaskEvent[]) => void;
  readonly #logger: Logger;
  #stream: ManagerStream;
  #renewal = Promise.withResolvers<void>();
  #closed = false;

  private constructor(
    api: AgentApi,
    delegateId: string,
    onEvents: (events: readonly TaskEvent[]) => void,
    logger: Logger,
    stream: ManagerStream,
  ) {
    this.#api = api;
    this.#delegateId = delegateId;
    this.#onEvents = onEvents;
    this.#logger = logger;
    this.#stream = stream;
  }

  /** Throws as `ManagerClient.openStream` does. */
  static async open(
    api: AgentApi,
    delegateId: string,
    onEvents: (events: readonly TaskEvent[]) => void,
    logger: Logger,
  ): Promise<PushChannel> {
    const stream = await openStream(api, delegateId, onEvents, logger);
    return new PushChannel(api, delegateId, onEvents, logger, stream);
  }

  /** Resolves when the stream has ended; never rejects. Call it once. */
  async ended(): Promise<StreamEnd> {
    for (;;) {
      const stream = this.#stream;
      const end = await Promise.race([stream.ended, this.#renewal.promise]);
      if (end !== undefined) return end;
      this.#renewal = Promise.withResolvers();
      if (!this.#closed) await this.#replace(stream);
    }
  }

  /** Opens a stream with the client certificate that is in use now, then closes the old one. */
  renew(): void {
    this.#renewal.resolve();
  }

  close(): void {
    this.#closed = true;
    this.#stream.close();
  }

  async #replace(old: ManagerStream): Promise<void> {
    try {
      this.#stream = await openStream(this.#api, this.#delegateId, this.#onEvents, this.#logger);
      old.close();
      // close() may have been called while the new stream was being opened.
      if (this.#closed) this.#stream.close();
      this.#logger.info('the push stream now uses the new client certificate');
    } catch (error) {
      this.#logger.warn({ err: error }, 'no push stream with the new client certificate; the old one stays open');
    }
  }
}

function openStream(
  api: AgentApi,
  delegateId: string,
  onEvents: (events: readonly TaskEvent[]) => void,
  logger: Logger,
): Promise<ManagerStream> {
  return api.openStream(delegateId, onEvents, () => {
    logger.warn('the push stream carried a message that is not task events; it was ignored');
  });
}
