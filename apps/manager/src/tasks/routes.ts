import { success } from '@sallyport/protocol';
import { CreateTaskRequest, restResponse, TaskDetails, TaskStatus, TaskSummary } from '@sallyport/protocol/schemas';
import { Type } from 'typebox';
import { accountOf } from '../http/access.ts';
import type { Registration } from '../http/app.ts';
import type { TaskService } from './task-service.ts';

const tags = ['tasks'];
const Account = { accountIdentifier: Type.Optional(Type.String()) };
const TaskId = Type.Object({ taskId: Type.String({ maxLength: 64 }) });
const MAX_WAIT_SECONDS = 25;

export function taskRoutes(tasks: TaskService): Registration {
  return (app) => {
    app.post(
      '/ng/api/tasks',
      {
        config: { access: 'account-admin' },
        bodyLimit: 512 * 1024,
        schema: {
          summary: 'Create a task; it is stored when this is answered',
          tags,
          querystring: Type.Object(Account),
          body: CreateTaskRequest,
          response: { 200: restResponse(TaskDetails) },
        },
      },
      async (request) => success(details(await tasks.create(accountOf(request), request.body))),
    );
    app.get(
      '/ng/api/tasks',
      {
        config: { access: 'account-viewer' },
        schema: {
          summary: 'Tasks of the account, newest first',
          tags,
          querystring: Type.Object({
            ...Account,
            status: Type.Optional(TaskStatus),
            limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 50 })),
            before: Type.Optional(Type.String({ maxLength: 64 })),
          }),
          response: { 200: restResponse(Type.Array(TaskSummary)) },
        },
      },
      async (request) => {
        const { status, before, limit = 50 } = request.query;
        const filter = { limit, ...(status !== undefined && { status }), ...(before !== undefined && { before }) };
        return success((await tasks.list(accountOf(request), filter)).map(details));
      },
    );
    app.get(
      '/ng/api/tasks/:taskId',
      {
        config: { access: 'account-viewer' },
        schema: {
          summary: 'A task; with waitSeconds the answer is held until it has ended',
          tags,
          params: TaskId,
          querystring: Type.Object({
            ...Account,
            waitSeconds: Type.Optional(Type.Integer({ minimum: 0, maximum: MAX_WAIT_SECONDS })),
          }),
          response: { 200: restResponse(TaskDetails) },
        },
      },
      async (request, reply) => {
        const { waitSeconds = 0 } = request.query;
        const account = accountOf(request);
        if (waitSeconds === 0) return success(details(await tasks.get(account, request.params.taskId)));
        const gone = new AbortController();
        // The answer's own end: a listener on the socket would stay there for each request of a kept connection.
        reply.raw.once('close', () => gone.abort());
        return success(
          details(await tasks.getWhenFinished(account, request.params.taskId, waitSeconds * 1000, gone.signal)),
        );
      },
    );
    app.post(
      '/ng/api/tasks/:taskId/abort',
      {
        config: { access: 'account-admin' },
        schema: {
          summary: 'Abort a task that has not ended; its delegate is told to stop it',
          tags,
          params: TaskId,
          querystring: Type.Object(Account),
          response: { 200: restResponse(TaskDetails) },
        },
      },
      async (request) => success(details(await tasks.abort(accountOf(request), request.params.taskId))),
    );
  };
}

function details<T extends { readonly expiresAt: number }>({ expiresAt: _, ...task }: T): Omit<T, 'expiresAt'> {
  return task;
}
