import { readEnvironment } from './config/environment.ts';
import { runProgram } from './program.ts';

// The reader of a pipe went away (sallyport task list | head): there is nobody left to tell.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

process.exitCode = await runProgram(process.argv.slice(2), {
  environment: readEnvironment(),
  terminal: process,
  now: Date.now,
});
