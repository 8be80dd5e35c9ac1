import { readFileSync } from 'node:fs';

/** User-space clock ticks a second: what /proc counts in, the same on every Linux of today. */
const TICKS_PER_SECOND = 100;

/** CPU seconds, user and system, that the processes have used since they started. */
export function cpuSeconds(pids: readonly number[]): number {
  return (
    pids.reduce((sum, pid) => sum + parseCpuTicks(readFileSync(`/proc/${pid}/stat`, 'utf8')), 0) / TICKS_PER_SECOND
  );
}

/** utime + stime (fields 14 and 15) of a /proc/<pid>/stat line; the name in field 2 may hold anything, blanks and ) too. */
export function parseCpuTicks(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  if (!Number.isInteger(ticks)) throw new Error(`cannot read CPU times from "${stat.slice(0, 200)}"`);
  return ticks;
}

/** Resident memory of one process in KiB. */
export function residentKiB(pid: number): number {
  const resident = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (resident === undefined) throw new Error(`cannot read the resident memory of process ${pid}`);
  return Number(resident);
}

/** The process and the children that it has now. */
export function withChildren(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return [pid, ...children.split(/\s+/).filter(Boolean).map(Number)];
}
