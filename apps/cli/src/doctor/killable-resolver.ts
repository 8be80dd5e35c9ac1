import { type ChildProcess, spawn } from 'node:child_process';
import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { isLoopbackName, lookupWithLoopback } from '@sallyport/client';

const ASK = `require('node:dns').lookup(process.argv[1], { all: true }, (error, found) =>
  process.stdout.write(JSON.stringify(error ? { code: error.code } : { found })))`;

interface Answer {
  readonly code?: string;
  readonly found?: readonly LookupAddress[];
}

/**
 * Resolves names as this machine does, in processes of its own. A question that the C library has put to a silent name
 * server cannot be taken back: put here, it would keep this process, even past process.exit(), for as long as there are
 * name servers and search domains to go through.
 */
export class KillableResolver {
  readonly #command: readonly string[];
  readonly #children = new Set<ChildProcess>();
  readonly #answers = new Map<string, Promise<Answer>>();

  /** What is run, with the name behind it; it prints an answer as JSON. */
  constructor(command: readonly string[] = [process.execPath, '-e', ASK, '--']) {
    this.#command = command;
  }

  readonly lookup: LookupFunction = (hostname, options, callback) => {
    if (isLoopbackName(hostname)) {
      lookupWithLoopback(hostname, options, callback);
      return;
    }
    const answer = this.#answers.get(hostname) ?? this.#ask(hostname);
    this.#answers.set(hostname, answer);
    answer.then(
      ({ code = 'ENOTFOUND', found = [] }) => {
        const [first] = found;
        if (first === undefined) callback(Object.assign(new Error(`${code} ${hostname}`), { code }), '', 0);
        else if (options.all) callback(null, [...found]);
        else callback(null, first.address, first.family);
      },
      // Without a second process it is asked here: it may last longer, and says the same.
      () => lookupWithLoopback(hostname, options, callback),
    );
  };

  /** Ends the questions that have not been answered. */
  close(): void {
    for (const child of this.#children) child.kill('SIGKILL');
  }

  #ask(hostname: string): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const [file = '', ...args] = this.#command;
    const child = spawn(file, [...args, hostname], { stdio: ['ignore', 'pipe', 'ignore'] });
    this.#children.add(child);
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    child.on('error', reject);
    child.on('close', () => {
      this.#children.delete(child);
      try {
        resolve(JSON.parse(text) as Answer);
      } catch {
        resolve({ code: 'EAI_AGAIN' }); // killed, or ended without a word
      }
    });
    return promise;
  }
}
