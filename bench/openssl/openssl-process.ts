// Runs the in-memory handshakes in a process of its own: they block it.
import { createRequire } from 'node:module';
import { obey } from '../process/worker.ts';

export interface AloneLoad {
  readonly addon: string;
  readonly count: number;
  readonly groups: string;
  readonly server: { readonly certificatePem: string; readonly privateKeyPem: string };
  readonly client: { readonly certificatePem: string; readonly privateKeyPem: string };
  readonly clientCa: string;
}

interface Addon {
  handshakes(
    count: number,
    groups: string,
    serverCertificate: string,
    serverKey: string,
    clientCertificate: string,
    clientKey: string,
    clientCa: string,
  ): number;
}

const commands = {
  /** CPU seconds of the server's half, each. */
  async run({ addon, count, groups, server, client, clientCa }: AloneLoad): Promise<number> {
    const { handshakes } = createRequire(import.meta.url)(addon) as Addon;
    return handshakes(
      count,
      groups,
      server.certificatePem,
      server.privateKeyPem,
      client.certificatePem,
      client.privateKeyPem,
      clientCa,
    );
  },
};

export type AloneCommands = typeof commands;
obey(commands);
