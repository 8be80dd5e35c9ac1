import { RefusalReason } from '@sallyport/trust';

/** Requests that are refused for their token: about the delegate's settings or its clock, not about its certificate. */
const TOKEN_REFUSALS = ['INVALID_TOKEN', 'EXPIRED_TOKEN', 'REVOKED_TOKEN'] as const;
export type TokenRefusal = (typeof TOKEN_REFUSALS)[number];

export const isTokenRefusal = (reason: string): reason is TokenRefusal =>
  (TOKEN_REFUSALS as readonly string[]).includes(reason);

/** The closed set that refusals are counted by. */
export const isCounted = (reason: string): reason is RefusalReason | TokenRefusal =>
  Object.hasOwn(RefusalReason, reason) || isTokenRefusal(reason);
