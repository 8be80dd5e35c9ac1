// What a proxy stands in front of: the least that takes log lines. It appends every body that is PUT to one file, waits for
// that, and answers 204; it reads no line, keeps no stream, and syncs nothing to the disk.
import { open } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { obey } from '../process/worker.ts';

const commands = {
  /** Resolves with the port. */
  async start(file: string): Promise<number> {
    const log = await open(file, 'a');
    const server = createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const answer = (status: number) => void response.writeHead(status).end();
        if (request.method !== 'PUT') return answer(204);
        log.appendFile(Buffer.concat(chunks)).then(
          () => answer(204),
          () => answer(500),
        );
      });
    });
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', 4_096, () => resolve((server.address() as AddressInfo).port));
    });
  },
};

export type BareAppenderCommands = typeof commands;
obey(commands);
