export const SHELL_TASK = 'SHELL_SCRIPT';
export const HTTP_TASK = 'HTTP_REQUEST';

export const DEFAULT_TASK_TIMEOUT_MS = 10 * 60_000;

/** Shorter values could not be masked in an output: they occur by chance everywhere. */
export const SHORTEST_TASK_SECRET = 4;
/** Of all values together, UTF-8. */
export const MAX_TASK_SECRET_BYTES = 65_536;
