// The agent protocol: what delegates, ours and existing ones, speak to the manager.

export const MAX_TASK_EVENTS_WAIT_SECONDS = 25;

/** Paths of the agent protocol, below the manager's base URL, before the query `accountId`. */
export const agentPaths = {
  register: '/api/agent/delegates/register',
  heartbeat: '/api/agent/delegates/heartbeat-with-polling',
  unregister: '/api/agent/delegates/unregister',
  taskEvents: (delegateId: string) => `/api/agent/delegates/${encodeURIComponent(delegateId)}/task-events`,
  /** WebSocket: task events pushed as they happen; the client's frames `{}` count as heartbeats. Ours. */
  stream: (delegateId: string) => `/api/agent/delegates/${encodeURIComponent(delegateId)}/stream`,
  acquire: (delegateId: string, taskId: string) =>
    `/api/agent/v2/delegates/${encodeURIComponent(delegateId)}/tasks/${encodeURIComponent(taskId)}/acquire`,
  status: (delegateId: string, taskId: string) =>
    `/api/agent/v2/tasks/${encodeURIComponent(taskId)}/delegates/${encodeURIComponent(delegateId)}`,
  taskResponse: (taskId: string) => `/api/executions/${encodeURIComponent(taskId)}/task-response`,
  runnerResponse: (taskId: string) => `/api/executions/${encodeURIComponent(taskId)}/response`,
  capacity: (delegateId: string) => `/api/agent/delegates/register-delegate-capacity/${encodeURIComponent(delegateId)}`,
  accountStatus: (accountId: string) => `/api/account/${encodeURIComponent(accountId)}/status`,
} as const;
