import { type Static, Type } from 'typebox';

/** Runs `script` with `interpreter -c`-like semantics on the delegate's machine, as the delegate's user. */
export const ShellTaskData = Type.Object(
  {
    script: Type.String({ minLength: 1, maxLength: 262144 }),
    interpreter: Type.Optional(Type.Union([Type.Literal('sh'), Type.Literal('bash')])),
    workingDirectory: Type.Optional(Type.String({ maxLength: 4096 })),
    environment: Type.Optional(Type.Record(Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]*$' }), Type.String())),
  },
  { additionalProperties: false },
);
export type ShellTaskData = Static<typeof ShellTaskData>;

export const HttpTaskData = Type.Object(
  {
    url: Type.String({ pattern: '^https?://', maxLength: 8192 }),
    method: Type.Optional(Type.String({ pattern: '^[A-Z]{3,10}$' })),
    headers: Type.Optional(Type.Record(Type.String(), Type.String())),
    body: Type.Optional(Type.String({ maxLength: 262144 })),
  },
  { additionalProperties: false },
);
export type HttpTaskData = Static<typeof HttpTaskData>;

export const TaskStatus = Type.Union([
  Type.Literal('QUEUED'),
  Type.Literal('RUNNING'),
  Type.Literal('SUCCEEDED'),
  Type.Literal('FAILED'),
  Type.Literal('ABORTED'),
  /** No delegate took it in time. */
  Type.Literal('EXPIRED'),
]);
export type TaskStatus = Static<typeof TaskStatus>;

const Tag = Type.String({ minLength: 1, maxLength: 128 });

export const CreateTaskRequest = Type.Object(
  {
    type: Type.String({ pattern: '^[A-Z][A-Z0-9_]{0,63}$' }),
    data: Type.Unknown(),
    /**
     * Environment variables of a SHELL_SCRIPT task's process. Stored encrypted until the task has ended, given to its delegate
     * alone, never shown again, and masked in what the task prints.
     */
    secrets: Type.Optional(Type.Record(Type.String(), Type.String(), { maxProperties: 64 })),
    /** Every one must be among the delegate's tags or be its name. Empty: any delegate of the account. */
    selectors: Type.Optional(Type.Array(Tag, { maxItems: 32 })),
    /** Milliseconds, for waiting and running together. */
    timeout: Type.Optional(Type.Integer({ minimum: 1000, maximum: 86_400_000 })),
  },
  { additionalProperties: false },
);
export type CreateTaskRequest = Static<typeof CreateTaskRequest>;

const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

export const TaskDetails = Type.Object({
  id: Type.String(),
  accountIdentifier: Type.String(),
  type: Type.String(),
  data: Type.Unknown(),
  selectors: Type.Array(Type.String()),
  timeout: Type.Integer(),
  status: TaskStatus,
  delegateId: nullable(Type.String()),
  delegateName: nullable(Type.String()),
  createdAt: Type.Integer(),
  startedAt: nullable(Type.Integer()),
  finishedAt: nullable(Type.Integer()),
  /** What the delegate reported: ShellResult, HttpResult, or any JSON of another handler. */
  result: Type.Unknown(),
  /** Why it failed, was aborted or expired. */
  error: nullable(Type.String()),
});
export type TaskDetails = Static<typeof TaskDetails>;

/** A task in a list: without what it was given and what it gave, which may be megabytes each. */
export const TaskSummary = Type.Omit(TaskDetails, ['data', 'result']);
export type TaskSummary = Static<typeof TaskSummary>;

export const ShellResult = Type.Object({
  exitCode: nullable(Type.Integer()),
  signal: nullable(Type.String()),
  stdout: Type.String(),
  stderr: Type.String(),
  /** True when output beyond the delegate's limit was dropped. */
  truncated: Type.Boolean(),
  timedOut: Type.Boolean(),
  durationMs: Type.Integer(),
});
export type ShellResult = Static<typeof ShellResult>;

export const HttpResult = Type.Object({
  status: Type.Integer(),
  headers: Type.Record(Type.String(), Type.String()),
  body: Type.String(),
  truncated: Type.Boolean(),
  durationMs: Type.Integer(),
});
export type HttpResult = Static<typeof HttpResult>;
