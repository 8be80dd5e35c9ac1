import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

// Plain JavaScript: of the whole program only this file is loaded before there is a cache, and in TypeScript it alone would
// make every start load Node's reader of TypeScript, a fifth of what a command takes.
//
// The cache halves the rest. In the installation's own folder and not in the system's one for temporary files: who can
// write there could hand us code to run; who can write here could change this program anyway.
enableCompileCache(join(import.meta.dirname, '../../../node_modules/.cache/sallyport-cli'));

// Imported when the cache is on; static imports would be loaded before it.
const { readEnvironment } = await import('./config/environment.ts');
const { runProgram } = await import('./program.ts');

// Killed (kill -9), the launcher can pass on no signal: left alone, a server would hold its ports and its database.
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
process.channel?.unref();

// The reader of a pipe went away (sallyport task list | head): there is nobody left to tell.
process.stdout.on('error', (error) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

process.exitCode = await runProgram(process.argv.slice(2), {
  environment: readEnvironment(),
  terminal: process,
  now: Date.now,
  sinceStart: () => performance.now(),
});
