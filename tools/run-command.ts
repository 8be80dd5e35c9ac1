import { type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');

/** Why the command failed, or null when it has succeeded. It ends when this process does. */
export async function runCommand(
  command: string,
  args: readonly string[],
  stdio: StdioOptions = 'inherit',
): Promise<string | null> {
  // Without this variable, which marks the processes of a test run: a run inside of one would take itself for one of its files.
  const { NODE_TEST_CONTEXT: _, ...inherited } = process.env;
  const env: NodeJS.ProcessEnv = {
    ...inherited,
    // Most of a test's start is reading TypeScript: what one process has compiled, the next ones take over. The folder is the
    // one of our own programs, which tests start as well.
    NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'sallyport-cli'),
    PATH: `${join(root, 'node_modules', '.bin')}:${process.env['PATH']}`,
  };
  const child = spawn(command, args, { cwd: root, stdio, env });
  const stop = () => child.kill();
  process.once('exit', stop);
  const reason = await once(child, 'close').then(
    ([code, signal]) => (code === 0 ? null : (signal ?? `exit code ${code}`)),
    (error: Error) => error.message,
  );
  process.off('exit', stop);
  return reason;
}
