import { type Static, Type } from 'typebox';

// Existing clients of the agent protocol send more fields than are named here, so objects stay open.

/** Body of register and heartbeat. `delegateRandomToken` may hold the account secret: bodies are never logged. */
export const RegisterRequest = Type.Object({
  accountId: Type.Optional(Type.String()),
  delegateId: Type.Optional(Type.String({ maxLength: 64 })),
  delegateName: Type.Optional(Type.String({ maxLength: 128 })),
  delegateType: Type.Optional(Type.String({ maxLength: 64 })),
  description: Type.Optional(Type.String({ maxLength: 1024 })),
  hostName: Type.Optional(Type.String({ maxLength: 256 })),
  ip: Type.Optional(Type.String({ maxLength: 64 })),
  version: Type.Optional(Type.String({ maxLength: 64 })),
  ng: Type.Optional(Type.Boolean()),
  immutable: Type.Optional(Type.Boolean()),
  pollingModeEnabled: Type.Optional(Type.Boolean()),
  heartbeatAsObject: Type.Optional(Type.Boolean()),
  sequenceNum: Type.Optional(Type.Integer()),
  lastHeartBeat: Type.Optional(Type.Integer()),
  supportedTaskTypes: Type.Optional(Type.Array(Type.String({ maxLength: 128 }), { maxItems: 512 })),
  tags: Type.Optional(Type.Array(Type.String({ maxLength: 128 }), { maxItems: 64 })),
});
export type RegisterRequest = Static<typeof RegisterRequest>;

export const RegisterReply = Type.Object({
  delegateId: Type.String(),
  /** SELF_DESTRUCT: the token was revoked or the delegate deleted; stop and do not come back. */
  action: Type.Optional(Type.Literal('SELF_DESTRUCT')),
});
export type RegisterReply = Static<typeof RegisterReply>;

export const HeartbeatReply = Type.Object({
  delegateId: Type.String(),
  status: Type.Literal('ENABLED'),
});
export type HeartbeatReply = Static<typeof HeartbeatReply>;

export const TaskEvent = Type.Object({
  accountId: Type.String(),
  delegateTaskId: Type.String(),
  sync: Type.Boolean(),
  taskType: Type.String(),
  eventType: Type.Union([Type.Literal('DelegateTaskEvent'), Type.Literal('DelegateTaskAbortEvent')]),
});
export type TaskEvent = Static<typeof TaskEvent>;

/** Answer of `task-events`, unwrapped; also the only message that the push stream carries downwards. */
export const TaskEvents = Type.Object({ delegateTaskEvents: Type.Array(TaskEvent) });
export type TaskEvents = Static<typeof TaskEvents>;

/** Answer of acquire, unwrapped. */
export const AcquiredTask = Type.Object({
  id: Type.String(),
  type: Type.String(),
  data: Type.Unknown(),
  async: Type.Boolean(),
  /** Milliseconds left, an integer. */
  timeout: Type.Integer(),
  /** Environment variables of the task's process whose values show nowhere. Left out when there are none. */
  secrets: Type.Optional(Type.Record(Type.String(), Type.String())),
  logging: Type.Object({ token: Type.String(), abstractions: Type.Record(Type.String(), Type.String()) }),
  delegate: Type.Object({ id: Type.String(), instance_id: Type.String(), token: Type.String() }),
  capabilities: Type.Array(Type.Unknown()),
});
export type AcquiredTask = Static<typeof AcquiredTask>;

/** `code: FAILED` needs `error`; OK carries the handler's output in `data`. */
export const TaskResponse = Type.Object({
  id: Type.Optional(Type.String()),
  type: Type.Optional(Type.String()),
  code: Type.Optional(Type.String()),
  data: Type.Optional(Type.Unknown()),
  error: Type.Optional(Type.String({ maxLength: 65_536 })),
});
export type TaskResponse = Static<typeof TaskResponse>;

/** As TaskResponse; `data` is base64 text of the handler's output. Clients in Go send null where there was none. */
export const RunnerTaskResponse = Type.Object({
  id: Type.Optional(Type.String()),
  type: Type.Optional(Type.String()),
  code: Type.Optional(Type.String()),
  error: Type.Optional(Type.String({ maxLength: 65_536 })),
  data: Type.Optional(Type.Union([Type.String(), Type.Null()])),
});
export type RunnerTaskResponse = Static<typeof RunnerTaskResponse>;

export const CapacityRequest = Type.Object({ maximumNumberOfBuilds: Type.Integer({ minimum: 0 }) });
export type CapacityRequest = Static<typeof CapacityRequest>;

export const UnregisterRequest = Type.Object({ delegateId: Type.Optional(Type.String()) });
export type UnregisterRequest = Static<typeof UnregisterRequest>;
