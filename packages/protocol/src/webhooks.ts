/** What a webhook can tell of. A type that has been given a meaning is never given another. */
export const WEBHOOK_EVENT_TYPES = [
  'refusal.new',
  'certificate.expiring',
  'delegate.downgraded',
  'crl.ageing',
  'crl.suspicious',
  'endpoint.changed',
  'webhook.test',
] as const;

/** Days before its end at which a client certificate is told of. */
export const EXPIRY_NOTICE_DAYS = [30, 14, 7, 1] as const;
