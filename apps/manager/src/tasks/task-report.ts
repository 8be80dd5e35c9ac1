import type { RunnerTaskResponse, TaskResponse } from '@sallyport/protocol';
import { ShellResult } from '@sallyport/protocol/schemas';
import { Value } from 'typebox/value';
import type { Report } from './task-service.ts';

/** The end of a task as a delegate reports it. No body, or none of its codes, counts as done without output. */
export function readReport(response: TaskResponse | null): Report {
  return judge(response?.code, response?.data ?? null, response?.error);
}

/** The runner form: `data` is base64 of the handler's output, which is JSON as a rule. */
export function readRunnerReport(response: RunnerTaskResponse | null): Report {
  const text = Buffer.from(response?.data ?? '', 'base64').toString('utf8');
  return judge(response?.code, readJson(text), response?.error);
}

function judge(code: string | undefined, result: unknown, error: string | undefined): Report {
  // Known pollers always say OK, whatever happened; a shell's own end is in its result.
  const shell = Value.Check(ShellResult, result) ? shellFailure(result) : null;
  const failed = (code !== undefined && code !== 'OK') || shell !== null || (error !== undefined && error !== '');
  return { failed, result, error: failed ? storable(error || shell || `the delegate reported ${code}`) : null };
}

/** PostgreSQL stores no U+0000, and a report must not be lost for one. */
const storable = (text: string): string => text.replaceAll('\0', '\uFFFD');

function shellFailure(result: ShellResult): string | null {
  if (result.timedOut) return `the script was stopped after ${Math.round(result.durationMs / 1000)} s, its time limit`;
  if (result.signal !== null) return `the script was ended by ${result.signal}`;
  return result.exitCode === 0 ? null : `the script ended with exit status ${result.exitCode}`;
}

function readJson(text: string): unknown {
  if (text === '') return null;
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}
