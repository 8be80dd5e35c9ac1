import { SallyportError, success } from '@sallyport/protocol';
import { AcquiredTask, RunnerTaskResponse, restResponse, TaskResponse } from '@sallyport/protocol/schemas';
import { Type } from 'typebox';
import { agentOf } from '../delegates/agent-guard.ts';
import type { Registration } from '../http/app.ts';
import { readReport, readRunnerReport } from './task-report.ts';
import type { TaskService } from './task-service.ts';

const tags = ['agent protocol'];
const config = { access: 'agent' } as const;
const Id = Type.String({ maxLength: 64 });
const Ids = Type.Object({ delegateId: Id, taskId: Id });
/** A shell task's output is bounded by the delegate, at 1 MiB each way by default; JSON escapes can double it. */
const RESULT_LIMIT = 8 * 1024 * 1024;
const answer = { 200: restResponse(Type.Boolean()) };

/** What a delegate calls about tasks: acquire one, report its end in either form. */
export function agentTaskRoutes(tasks: TaskService): Registration {
  return (app) => {
    app.put(
      '/api/agent/v2/delegates/:delegateId/tasks/:taskId/acquire',
      {
        config,
        schema: {
          summary: 'Take a task; the first delegate gets it',
          tags,
          params: Ids,
          querystring: Type.Object({ accountId: Type.String(), delegateInstanceId: Type.Optional(Type.String()) }),
          response: { 200: AcquiredTask },
        },
      },
      async (request) => {
        const { accountId, via } = agentOf(request);
        return tasks.acquire(accountId, request.params.delegateId, via.tokenId, request.params.taskId);
      },
    );
    app.post(
      '/api/agent/v2/tasks/:taskId/delegates/:delegateId',
      {
        config,
        bodyLimit: RESULT_LIMIT,
        schema: {
          summary: 'Report the end of a task',
          tags,
          params: Ids,
          querystring: Type.Object({ accountId: Type.String() }),
          // A client whose handler wrote nothing sends an empty body, and repeats it for five minutes when refused.
          body: Type.Union([TaskResponse, Type.Null()]),
          response: answer,
        },
      },
      async (request) => {
        const { delegateId, taskId } = request.params;
        await tasks.report(agentOf(request).accountId, delegateId, taskId, readReport(request.body));
        return success(true);
      },
    );
    for (const [path, summary] of [
      ['/api/executions/:taskId/task-response', 'Report the end of a task (runner form; runnerId names the delegate)'],
      ['/api/executions/:taskId/response', 'Report the end of a task (runner form; delegateId names the delegate)'],
    ] as const) {
      app.post(
        path,
        {
          config,
          bodyLimit: RESULT_LIMIT,
          schema: {
            summary,
            tags,
            params: Type.Object({ taskId: Id }),
            querystring: Type.Object({
              accountId: Type.String(),
              delegateId: Type.Optional(Id),
              runnerId: Type.Optional(Id),
            }),
            body: Type.Union([RunnerTaskResponse, Type.Null()]),
            response: answer,
          },
        },
        async (request) => {
          const delegateId = request.query.delegateId ?? request.query.runnerId;
          if (delegateId === undefined)
            throw new SallyportError('INVALID_REQUEST', 'The report names no delegate (delegateId or runnerId).');
          await tasks.report(
            agentOf(request).accountId,
            delegateId,
            request.params.taskId,
            readRunnerReport(request.body),
          );
          return success(true);
        },
      );
    }
  };
}
