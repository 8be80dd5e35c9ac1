import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import type { TestContext } from 'node:test';

/** util-linux's `script` gives a child process a terminal of its own; false where it is there, else why it is not. */
export const terminalUnavailable: string | false =
  process.platform === 'linux' &&
  spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout?.includes('util-linux')
    ? false
    : 'needs the program "script" of util-linux to make a terminal';

export interface PseudoTerminal {
  type(keys: string): void;
  /** Resolves when the screen has shown the text, from the start on. */
  shows(text: string): Promise<void>;
  /** Everything shown so far. */
  screen(): string;
  readonly exit: Promise<number>;
}

/** Runs a command on a terminal; it is ended with the test. */
export function onTerminal(
  t: TestContext,
  command: readonly string[],
  environment: Record<string, string>,
): PseudoTerminal {
  const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  // Nothing else of this process's environment: whoever runs the tests may have settings of their own.
  const line = `env -i PATH="$PATH" TERM=xterm ${[...variables, ...command].map(quoted).join(' ')}`;
  const child = spawn('script', ['-qfec', line, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  let screen = '';
  child.stdout.on('data', (chunk: Buffer) => {
    screen += chunk.toString();
  });
  const exit = once(child, 'exit').then(([code]) => Number(code));
  return {
    type: (keys) => child.stdin.write(keys),
    shows: async (text) => {
      while (!screen.includes(text)) {
        await Promise.race([
          once(child.stdout, 'data'),
          exit.then(() => Promise.reject(new Error(`ended with:\n${screen}`))),
        ]);
      }
    },
    screen: () => screen,
    exit,
  };
}
