import { success } from '@sallyport/protocol';
import { CreateWebhookRequest, restResponse, Webhook, WebhookDelivery } from '@sallyport/protocol/schemas';
import { Type } from 'typebox';
import { MTLS_ADMIN, MTLS_PATH, MTLS_QUERY, MTLS_TAGS, MTLS_VIEWER, refuseProjects } from '../endpoints/mtls-route.ts';
import { accountOf, principalOf } from '../http/access.ts';
import type { Registration } from '../http/app.ts';
import type { WebhookService } from './webhook-service.ts';

const path = `${MTLS_PATH}/webhooks`;
const shared = { tags: MTLS_TAGS, querystring: Type.Object(MTLS_QUERY) };
const params = Type.Object({ webhook: Type.String({ maxLength: 64 }) });
const read = { config: MTLS_VIEWER, preHandler: refuseProjects };
const write = { config: MTLS_ADMIN, preHandler: refuseProjects };

export function webhookRoutes(webhooks: WebhookService): Registration {
  return (app) => {
    app.get(
      path,
      {
        ...read,
        schema: {
          summary: "The account's webhooks, without their secrets; viewers see of a URL only scheme and host",
          ...{ ...shared, response: { 200: restResponse(Type.Array(Webhook)) } },
        },
      },
      async (request) => success(await webhooks.list(accountOf(request), principalOf(request))),
    );
    app.post(
      path,
      {
        ...write,
        schema: {
          summary: 'Add a webhook; the answer is the only one that shows its signing secret',
          ...{ ...shared, body: CreateWebhookRequest, response: { 200: restResponse(Webhook) } },
        },
      },
      async (request) => success(await webhooks.create(accountOf(request), request.body, principalOf(request))),
    );
    app.delete(
      `${path}/:webhook`,
      {
        ...write,
        schema: {
          summary: 'Remove a webhook, with what waits for it',
          ...{ ...shared, params, response: { 200: restResponse(Type.Boolean()) } },
        },
      },
      async (request) => {
        await webhooks.delete(accountOf(request), request.params.webhook, principalOf(request));
        return success(true);
      },
    );
    app.post(
      `${path}/:webhook/test`,
      {
        ...write,
        schema: {
          summary: 'Send a test event, once; one that is delivered switches the webhook on again',
          description: 'Answered when it is queued: its outcome is in the deliveries.',
          ...{ ...shared, params, response: { 200: restResponse(WebhookDelivery) } },
        },
      },
      async (request) => success(await webhooks.test(accountOf(request), request.params.webhook, principalOf(request))),
    );
    app.get(
      `${path}/:webhook/deliveries`,
      {
        ...read,
        schema: {
          summary: 'What was sent, newest first: what waits, and the last 100 that are over',
          ...{ ...shared, params, response: { 200: restResponse(Type.Array(WebhookDelivery)) } },
          querystring: Type.Object({
            ...MTLS_QUERY,
            limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 600, default: 50 })),
          }),
        },
      },
      async (request) =>
        success(await webhooks.deliveries(accountOf(request), request.params.webhook, request.query.limit ?? 50)),
    );
  };
}
