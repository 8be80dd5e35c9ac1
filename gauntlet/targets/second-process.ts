import type { Worker } from '../../bench/process/children.ts';
import type { ManagerCommands } from '../../bench/servers/manager-process.ts';

/** The process of the further managers of a run, which live there one after the other: starting it costs more than they do. */
export class SecondProcess {
  readonly #start: () => Promise<Worker<ManagerCommands>>;
  #worker: Worker<ManagerCommands> | null = null;
  #free: Promise<void> = Promise.resolve();

  constructor(start: () => Promise<Worker<ManagerCommands>>) {
    this.#start = start;
  }

  /** Resolves when nobody else has it any more; `leave` ends what runs there. */
  async enter(): Promise<{ readonly worker: Worker<ManagerCommands>; leave(): Promise<void> }> {
    const before = this.#free;
    const { promise, resolve: free } = Promise.withResolvers<void>();
    this.#free = promise;
    await before;
    const worker = await this.#started().catch((error: unknown) => {
      free();
      throw error;
    });
    const leave = async () => {
      try {
        await worker.call('stop', undefined);
      } catch {
        // A manager whose database was ruined may not end in good order: the next one gets another process.
        await this.stop();
      } finally {
        free();
      }
    };
    return { worker, leave };
  }

  async stop(): Promise<void> {
    const worker = this.#worker;
    this.#worker = null;
    await worker?.stop();
  }

  async #started(): Promise<Worker<ManagerCommands>> {
    this.#worker ??= await this.#start();
    return this.#worker;
  }
}
