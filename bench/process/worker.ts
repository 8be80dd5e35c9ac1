/** What a worker can be told: a name, one argument, one result. Both travel by structured clone. */
export type Commands = { [name: string]: (argument: never) => unknown };

export interface Message {
  readonly id: number;
  readonly command: string;
  readonly argument: unknown;
}

export interface Reply {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** Makes this process a worker: it obeys until the bench that started it is gone, then ends. */
export function obey(commands: Commands): void {
  process.on('message', ({ id, command, argument }: Message) => {
    const work = commands[command] as ((argument: unknown) => unknown) | undefined;
    if (work === undefined) return reply({ id, error: `there is no command "${command}"` });
    Promise.resolve(argument)
      .then(work)
      .then(
        (result) => reply({ id, result }),
        (error: unknown) =>
          reply({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
      );
  });
  // Ends by itself rather than by the signal, so that --cpu-prof gets to write its profile.
  for (const over of ['disconnect', 'SIGTERM'] as const) process.on(over, () => process.exit());
}

function reply(message: Reply): void {
  process.send?.(message);
}
