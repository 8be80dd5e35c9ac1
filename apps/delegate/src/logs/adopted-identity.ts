import { EventEmitter } from 'node:events';
import type { ClientIdentity, IdentitySource, ManagerClient } from '@sallyport/client';

/**
 * The client certificate that the manager has taken. The log service gets a new one only after that: nobody tries it a
 * second time, and logs go on with the old one while its CA is not uploaded yet.
 */
export class AdoptedIdentity extends EventEmitter<{ change: [ClientIdentity] }> implements IdentitySource {
  #current: ClientIdentity;

  constructor(first: ClientIdentity, manager: ManagerClient) {
    super();
    this.#current = first;
    manager.on('rotated', (identity) => {
      this.#current = identity;
      this.emit('change', identity);
    });
  }

  get current(): ClientIdentity {
    return this.#current;
  }
}
