import { type ChildProcess, fork, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Commands, Message, Reply } from './worker.ts';

/** A child process of the bench that obeys commands, one module a kind. */
export interface Worker<C extends Commands> {
  readonly pid: number;
  /** Rejects with the child's own error, or when it ends before it has answered. */
  call<K extends keyof C & string>(command: K, argument: Parameters<C[K]>[0]): Promise<Awaited<ReturnType<C[K]>>>;
  stop(): Promise<void>;
}

export interface WorkerOptions {
  readonly nodeOptions?: readonly string[];
  readonly environment?: NodeJS.ProcessEnv;
}

const KILL_AFTER_MS = 10_000;

/** Every child process that the bench started, so that none outlives it, however it ends. */
export class Children {
  readonly #running = new Set<ChildProcess>();

  constructor() {
    // The last moment of this process, when nothing can be waited for any more.
    process.on('exit', () => {
      for (const child of this.#running) child.kill('SIGKILL');
    });
  }

  /** A program that serves. Rejects when it cannot be started. What it prints is kept for `outputOf`. */
  async spawn(command: string, args: readonly string[], options: SpawnOptions = {}): Promise<ServerProcess> {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    const output: string[] = [];
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk: Buffer) => output.push(String(chunk)));
    await once(child, 'spawn');
    this.#follow(child);
    return {
      pid: pidOf(child),
      output: () => output.join(''),
      running: () => child.exitCode === null && child.signalCode === null,
      signal: (name) => void child.kill(name),
      stop: () => end(child, 'SIGTERM'),
    };
  }

  /** Starts `module` (one that calls `obey`) on this Node, with these options for Node, in this environment. */
  async worker<C extends Commands>(
    module: URL,
    { nodeOptions = ['--disable-warning=ExperimentalWarning'], environment = process.env }: WorkerOptions = {},
  ): Promise<Worker<C>> {
    const child = fork(module, {
      execArgv: [...nodeOptions],
      env: environment,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      serialization: 'advanced',
    });
    await once(child, 'spawn');
    this.#follow(child);
    let last = 0;
    const call = (command: string, argument: unknown) =>
      new Promise<unknown>((resolve, reject) => {
        last += 1;
        const id = last;
        const onMessage = (reply: Reply) => {
          if (reply.id !== id) return;
          settle();
          if (reply.error === undefined) resolve(reply.result);
          else reject(new Error(reply.error));
        };
        const onExit = () => {
          settle();
          reject(new Error(`${module.pathname} ended before it answered "${command}"`));
        };
        const settle = () => {
          child.off('message', onMessage);
          child.off('exit', onExit);
        };
        child.on('message', onMessage);
        child.on('exit', onExit);
        child.send({ id, command, argument } satisfies Message);
      });
    return { pid: pidOf(child), call: call as Worker<C>['call'], stop: () => end(child, 'SIGTERM') };
  }

  /** Ends what is still running, in no order. */
  async stopAll(): Promise<void> {
    await Promise.all([...this.#running].map((child) => end(child, 'SIGTERM')));
  }

  #follow(child: ChildProcess): void {
    this.#running.add(child);
    child.once('exit', () => this.#running.delete(child));
  }
}

export interface ServerProcess {
  readonly pid: number;
  /** Everything printed so far. */
  output(): string;
  running(): boolean;
  signal(name: NodeJS.Signals): void;
  stop(): Promise<void>;
}

/** Asks, and after ten seconds insists. */
async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  const insist = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
  child.kill(signal);
  await ended;
  clearTimeout(insist);
}

function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error('the child process has no id');
  return child.pid;
}
