import type { TaskOutput } from '../src/logs/task-logs.ts';

/** Output of a task that goes nowhere but into its result, as it is. */
export function plainOutput(): TaskOutput {
  const plain = { write: (chunk: Buffer) => chunk, end: () => Buffer.alloc(0) };
  return { stdout: plain, stderr: plain, end: () => undefined };
}
