/** Exit codes of the upgrader's process. */
export const EXIT = {
  /** Everything is as it should be: upgraded, or nothing to do, or a dry run. */
  done: 0,
  /** A fault of this program. */
  failed: 1,
  /** The configuration, the token, a certificate or a CA file is wrong; each problem is named. Trying again does not help. */
  configuration: 2,
  /** The manager was not reached, or refused the call. */
  manager: 3,
  /** The Kubernetes API or the Docker Engine was not reached, or refused; a missing right is named. */
  platform: 4,
  /** The manager named an image that this upgrader does not take: another repository, an older version, no digest. */
  refused: 5,
  /** Docker: the new container did not register in time, and the old one is back. */
  rolledBack: 6,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** What ends a run before its end: which exit code, what is wrong, and what to do. */
export class UpgradeError extends Error {
  override readonly name = 'UpgradeError';
  readonly exit: ExitCode;
  readonly remedy: string;

  constructor(exit: ExitCode, message: string, remedy: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.exit = exit;
    this.remedy = remedy;
  }
}
