import type { PresentedCertificate } from '@sallyport/protocol';
import type { Database } from '../src/database/open-database.ts';
import { type Delegate, DelegateStore, type Registration } from '../src/delegates/delegate-store.ts';
import { Presence, type Via } from '../src/delegates/presence.ts';
import { createLogger } from '../src/http/logger.ts';

const DAY = 86_400_000;
export const PLAIN: Via = { transport: 'PLAIN', certificate: null, anchor: null, tokenId: 'none' };

export function certificateOf(fingerprint: string, notAfter: number, days = 90): PresentedCertificate {
  const notBefore = notAfter - days * DAY;
  return { subject: `CN=${fingerprint}`, issuer: 'CN=CA', serialNumber: '01', fingerprint, notBefore, notAfter };
}

export const onMtls = (certificate: PresentedCertificate, anchor: string | null = 'ca1'): Via => ({
  ...{ transport: 'MTLS', certificate, anchor, tokenId: 'none' },
});

/** Delegates of acme that come and go at one replica, without sockets. */
export class PresenceRig {
  readonly #clock: { now(): Date };
  readonly #store: DelegateStore;
  readonly #presence: Presence;

  constructor({ database }: Database, clock: { now(): Date }) {
    this.#clock = clock;
    this.#store = new DelegateStore(database);
    this.#presence = new Presence('replica-1', this.#store, clock, createLogger('silent'));
  }

  async come(id: string, via: Via, name = id, hostName = `host-${id}`): Promise<void> {
    const registration: Registration = {
      ...{ id, accountId: 'acme', name, hostName, type: 'DOCKER', description: '', ip: '', version: '' },
      ...{ tags: [], supportedTaskTypes: [], polling: true, tokenId: null },
      ...{ transport: via.transport, certificate: via.certificate },
    };
    const at = this.#clock.now().getTime();
    if ((await this.#store.find('acme', id)) === null) await this.#store.register(registration, 'replica-1', at);
    const delegate: Delegate = { ...registration, connected: true, registeredAt: at, lastSeen: at };
    this.#presence.touch(delegate, via);
    await this.#presence.flush();
  }

  async leave(id: string): Promise<void> {
    this.#presence.leave('acme', id);
    await this.#presence.flush();
  }

  /** What a heartbeat does. */
  heartbeat(id: string, via: Via): void {
    this.#presence.touchKnown('acme', id, via);
  }

  flush(): Promise<void> {
    return this.#presence.flush();
  }
}
