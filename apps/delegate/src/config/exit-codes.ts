/** Exit codes of the delegate's process. */
export const EXIT = {
  /** Stopped by a signal; every task ended and its result was taken by the manager. */
  stopped: 0,
  /** A fault, or the grace period ended before every result was taken. */
  failed: 1,
  /** The environment, a certificate file or a CA file is wrong; the log names each. A restart alone does not help. */
  configuration: 2,
  /** The manager said to stop: the delegate was deleted or its token revoked. With a new token, start it anew. */
  dismissed: 3,
  /** A second Ctrl-C: the process left at once. */
  interrupted: 130,
} as const;
