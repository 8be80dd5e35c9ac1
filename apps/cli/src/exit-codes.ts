/**
 * What the process answers to its caller; docs/cli.md is checked against it. `task run` alone may answer with other
 * numbers: those of the script that it ran.
 */
export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  unreachable: 3,
  denied: 4,
  notFound: 5,
  conflict: 6,
  taskUnfinished: 7,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: 'done',
  failure: 'the operation failed',
  usage: 'the command line, a profile or a local file is wrong; nothing was sent',
  unreachable: 'the control plane cannot be reached, is not trusted (TLS), or is not ready',
  denied: 'no API key, a key that is not valid, or one whose role does not allow the call',
  notFound: 'what the command names does not exist',
  conflict: 'it exists already, is taken, or is in a state that does not allow the change',
  taskUnfinished: 'task run: the task ended without an exit code of its own (expired, aborted, delegate lost)',
};

/** How `doctor` ends, by where the cause of a failure lies; warnings alone end it with 0. */
export const EXIT_OF_DIAGNOSIS = {
  /** Environment, files, certificate or clock of the delegate's machine. */
  'set-up': EXIT.usage,
  /** The way to the manager, and whether what answers there is one. */
  network: EXIT.unreachable,
  /** The manager refuses this certificate, account, transport or token. */
  admission: EXIT.denied,
  /** The delegate is let in, and something beside that does not work. */
  service: EXIT.failure,
} as const;

/** As `timeout(1)` answers for a command that it had to end. */
export const EXIT_TIMED_OUT = 124;

/** A shell's answer for a process that a signal ended; null stands for a name that this platform does not have. */
export const exitOfSignal = (signalNumber: number | null): number => 128 + (signalNumber ?? 0);
