import { agentPaths, MAX_TASK_EVENTS_WAIT_SECONDS, success } from '@sallyport/protocol';
import {
  CapacityRequest,
  HeartbeatReply,
  RegisterReply,
  RegisterRequest,
  restResponse,
  TaskEvents,
  UnregisterRequest,
} from '@sallyport/protocol/schemas';
import type { preValidationHookHandler } from 'fastify';
import { Type } from 'typebox';
import type { Registration } from '../http/app.ts';
import { dropNulls, replayBody } from '../http/json-body.ts';
import type { TaskDispatcher } from '../tasks/task-dispatcher.ts';
import { agentOf } from './agent-guard.ts';
import type { DelegateService } from './delegate-service.ts';
import type { Presence } from './presence.ts';

const tags = ['agent protocol'];
const config = { access: 'agent' } as const;

const preValidation: preValidationHookHandler = ({ body }, _reply, done) => {
  dropNulls(body);
  done();
};

const Account = Type.Object({ accountId: Type.String() });
const DelegateId = Type.Object({ delegateId: Type.String({ maxLength: 64 }) });

/** What a delegate calls about itself: register, heartbeat, task events by poll, unregister, capacity. */
export function agentRoutes(delegates: DelegateService, presence: Presence, dispatcher: TaskDispatcher): Registration {
  return (app) => {
    app.post(
      '/api/agent/delegates/register',
      {
        config,
        preValidation,
        schema: {
          summary: 'Register a delegate',
          tags,
          querystring: Account,
          body: RegisterRequest,
          response: { 200: restResponse(RegisterReply) },
        },
      },
      async (request) => success({ delegateId: await delegates.register(agentOf(request), request.body) }),
    );
    app.post(
      agentPaths.heartbeat,
      {
        config,
        // What the short way (HeartbeatLane) has read and leaves to this one.
        preParsing: replayBody,
        preValidation,
        schema: {
          summary: 'A delegate is alive',
          tags,
          querystring: Account,
          body: RegisterRequest,
          response: { 200: restResponse(HeartbeatReply) },
        },
      },
      async (request) => {
        const { delegateId } = request.body;
        if (delegateId === undefined)
          return success({
            delegateId: await delegates.register(agentOf(request), request.body),
            status: 'ENABLED' as const,
          });
        await delegates.heartbeat(agentOf(request), delegateId);
        return success({ delegateId, status: 'ENABLED' as const });
      },
    );
    app.post(
      '/api/agent/delegates/unregister',
      {
        config,
        preValidation,
        schema: {
          summary: 'A delegate says goodbye',
          tags,
          querystring: Account,
          body: UnregisterRequest,
          response: { 200: restResponse(Type.Boolean()) },
        },
      },
      async (request) => {
        if (request.body.delegateId !== undefined) delegates.unregister(agentOf(request), request.body.delegateId);
        return success(true);
      },
    );
    app.get(
      '/api/agent/delegates/:delegateId/task-events',
      {
        config,
        schema: {
          summary: 'Tasks that wait for this delegate; with waitSeconds the answer is held until there is one',
          tags,
          params: DelegateId,
          querystring: Type.Object({
            accountId: Type.String(),
            syncOnly: Type.Optional(Type.Boolean()),
            waitSeconds: Type.Optional(Type.Integer({ minimum: 0, maximum: MAX_TASK_EVENTS_WAIT_SECONDS, default: 0 })),
          }),
          response: { 200: TaskEvents },
        },
      },
      async (request, reply) => {
        const caller = agentOf(request);
        const { delegateId } = request.params;
        const gone = new AbortController();
        // The answer's own end: a listener on the socket would stay there for each poll of a kept connection.
        reply.raw.once('close', () => gone.abort());
        await delegates.heartbeat(caller, delegateId);
        const present = presence.get(caller.accountId, delegateId);
        const queued = present === undefined ? [] : await dispatcher.eventsFor(present);
        const waitMs = queued.length > 0 ? 0 : (request.query.waitSeconds ?? 0) * 1000;
        const pushed = await presence.poll(delegateId, waitMs, gone.signal);
        const known = new Set(queued.map((event) => event.delegateTaskId));
        return {
          delegateTaskEvents: [
            ...queued,
            ...pushed.filter(
              (event) => !known.has(event.delegateTaskId) || event.eventType === 'DelegateTaskAbortEvent',
            ),
          ],
        };
      },
    );
    app.post(
      '/api/agent/delegates/register-delegate-capacity/:delegateId',
      {
        config,
        schema: {
          summary: 'How many builds a delegate takes at once',
          tags,
          params: DelegateId,
          querystring: Account,
          body: CapacityRequest,
          response: { 200: restResponse(Type.Boolean()) },
        },
      },
      async (request) => {
        await delegates.heartbeat(agentOf(request), request.params.delegateId);
        presence.limit(agentOf(request).accountId, request.params.delegateId, request.body.maximumNumberOfBuilds);
        return success(true);
      },
    );
  };
}
