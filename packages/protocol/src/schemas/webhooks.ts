import { type Static, Type } from 'typebox';
import { WEBHOOK_EVENT_TYPES } from '../webhooks.ts';

const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

export const WebhookEventType = Type.Enum([...WEBHOOK_EVENT_TYPES]);
export type WebhookEventType = Static<typeof WebhookEventType>;

/** Body of a delivery. It is signed as it is sent: verify the bytes, then parse them. */
export const WebhookPayload = Type.Object({
  type: WebhookEventType,
  /** When it happened, ISO 8601. */
  timestamp: Type.String(),
  /** Always with `accountIdentifier`; the rest is the event's. */
  data: Type.Record(Type.String(), Type.Unknown()),
});
export type WebhookPayload = Static<typeof WebhookPayload>;

export const WebhookState = Type.Union([
  Type.Literal('ACTIVE'),
  /** The last attempt failed; what is queued is tried again. */
  Type.Literal('FAILING'),
  /** Switched off: nothing is queued until a test succeeds. */
  Type.Literal('OFF'),
]);
export type WebhookState = Static<typeof WebhookState>;

export const Webhook = Type.Object({
  uuid: Type.String(),
  /** For viewers only scheme and host: the rest of a URL is often a secret of its receiver. */
  url: Type.String(),
  /** Null: every event, those of later versions too. */
  events: nullable(Type.Array(Type.String())),
  state: WebhookState,
  /** Why it is off; null while it is on. */
  offReason: nullable(Type.String()),
  /** `whsec_<base64>`. In the answer to its creation only. */
  secret: Type.Optional(Type.String()),
  createdAt: Type.Integer(),
  createdBy: Type.String(),
  lastSuccessAt: nullable(Type.Integer()),
  lastFailureAt: nullable(Type.Integer()),
  lastFailure: nullable(Type.String()),
  /** Deliveries that wait for their first or their next attempt. */
  waiting: Type.Integer(),
  /** Events that were never queued, because too many were waiting already. */
  dropped: Type.Integer(),
});
export type Webhook = Static<typeof Webhook>;

export const CreateWebhookRequest = Type.Object({
  url: Type.String({ minLength: 1, maxLength: 2048 }),
  /** Not given: every event. */
  events: Type.Optional(Type.Array(WebhookEventType, { minItems: 1, maxItems: 20 })),
});
export type CreateWebhookRequest = Static<typeof CreateWebhookRequest>;

export const WebhookDeliveryState = Type.Union([
  Type.Literal('WAITING'),
  Type.Literal('DELIVERED'),
  /** Every attempt failed, or the webhook was switched off. */
  Type.Literal('FAILED'),
]);
export type WebhookDeliveryState = Static<typeof WebhookDeliveryState>;

/** One event for one webhook, and what became of it. */
export const WebhookDelivery = Type.Object({
  /** The header `webhook-id` of every attempt. */
  id: Type.String(),
  webhook: Type.String(),
  event: Type.String(),
  state: WebhookDeliveryState,
  attempts: Type.Integer(),
  createdAt: Type.Integer(),
  lastAttemptAt: nullable(Type.Integer()),
  /** Null when there will be none. */
  nextAttemptAt: nullable(Type.Integer()),
  /** HTTP status of the last answer; null when there was none. */
  status: nullable(Type.Integer()),
  /** What the last attempt failed for; null when it did not. */
  error: nullable(Type.String()),
});
export type WebhookDelivery = Static<typeof WebhookDelivery>;
