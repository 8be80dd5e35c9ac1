import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type DevBody, KeptConnection } from '@sallyport/dev-env';

/** A manager in a process of its own. */
export interface KillableManager {
  readonly process: ChildProcess;
  readonly public: number;
  readonly firstOperatorKey: string | null;
}

export async function startProcess(environment: Readonly<Record<string, string>>): Promise<KillableManager> {
  const script = join(import.meta.dirname, 'manager-process.ts');
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', script, JSON.stringify(environment)],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  const line = once(createInterface(child.stdout), 'line');
  const failed = once(child, 'exit').then(([code]) => {
    throw new Error(`the manager ended by itself with ${code}`);
  });
  failed.catch(() => undefined);
  const [text] = (await Promise.race([line, failed])) as [string];
  return { ...(JSON.parse(text) as Omit<KillableManager, 'process'>), process: child };
}

export async function kill({ process: child }: KillableManager): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/** Its management API, on one connection. */
export class Api {
  readonly #connection: KeptConnection;
  readonly #key: string;
  constructor(connection: KeptConnection, key: string) {
    this.#connection = connection;
    this.#key = key;
  }
  static async open(port: number, key: string): Promise<Api> {
    return new Api(await KeptConnection.open({ port, serverName: 'localhost' }), key);
  }
  async must(method: string, path: string, body?: unknown): Promise<DevBody> {
    const headers = { 'x-api-key': this.#key };
    const answer = await this.#connection.request(method, path, { headers, ...(body !== undefined && { body }) });
    if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body['resource'] as DevBody;
  }
  close(): void {
    this.#connection.close();
  }
}
