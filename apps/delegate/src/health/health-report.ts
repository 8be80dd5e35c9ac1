import type { ClientIdentity } from '@sallyport/client';
import type { ConnectionState } from '../connection/connection-state.ts';
import type { Verdict } from './self-examination.ts';

export interface HealthSources {
  readonly name: string;
  readonly version: string;
  readonly manager: string;
  readonly state: ConnectionState;
  readonly delegateId: string | null;
  /** The client certificate in use. */
  readonly identity: ClientIdentity | null;
  /** Why newer certificate files are not in use. */
  readonly certificateProblem: string | null;
  /** What the doctor found when the connection failed again and again. */
  readonly verdict: Verdict | null;
  readonly tasksRunning: number;
  readonly resultsUnreported: number;
  readonly unhealthyAfterMs: number;
  readonly now: number;
}

const DAY_MS = 86_400_000;

export interface HealthReport {
  readonly status: 'UP' | 'DOWN';
  readonly [detail: string]: unknown;
}

/**
 * DOWN when there has been no connection for longer than the setting. Never while tasks run or results are unreported:
 * a liveness probe would restart the container, and the restart would lose them.
 */
export function healthReport(sources: HealthSources): HealthReport {
  const { state, now, identity } = sources;
  const working = sources.tasksRunning + sources.resultsUnreported > 0;
  const overdue = state.phase !== 'connected' && now - state.since > sources.unhealthyAfterMs;
  return {
    status: overdue && !working ? 'DOWN' : 'UP',
    name: sources.name,
    version: sources.version,
    delegateId: sources.delegateId,
    connection: {
      state: state.phase,
      since: new Date(state.since).toISOString(),
      manager: sources.manager,
      channel: state.channel,
      transport: identity === null ? 'PLAIN' : 'MTLS',
    },
    lastTrouble: state.trouble === null ? null : { ...state.trouble, ...isoTimes(state.trouble) },
    // Of a connection that is back it says nothing any more.
    diagnosis: state.phase === 'connected' ? null : sources.verdict,
    certificate:
      identity === null
        ? null
        : {
            subject: identity.subject,
            issuer: identity.issuer,
            fingerprint: identity.fingerprint,
            notAfter: new Date(identity.notAfter).toISOString(),
            daysLeft: Math.floor(daysLeft(identity, now)),
            problem: sources.certificateProblem,
          },
    tasks: { running: sources.tasksRunning, unreported: sources.resultsUnreported },
  };
}

export function daysLeft(identity: ClientIdentity, now: number): number {
  return (identity.notAfter - now) / DAY_MS;
}

function isoTimes({ firstAt, lastAt }: { firstAt: number; lastAt: number }): { firstAt: string; lastAt: string } {
  return { firstAt: new Date(firstAt).toISOString(), lastAt: new Date(lastAt).toISOString() };
}
