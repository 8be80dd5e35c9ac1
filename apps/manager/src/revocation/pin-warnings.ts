import type { AllowedIdentity } from '@sallyport/protocol';
import type { EndpointWarning } from '../endpoints/endpoint-service.ts';

/** What can match nobody, or nobody that was meant, is to be noticed now and not when everybody is refused. */
export function pinWarnings(pins: readonly AllowedIdentity[]): readonly EndpointWarning[] {
  return pins.flatMap(({ type, value }) => {
    const why = suspicion(type, value);
    return why === null ? [] : [{ code: 'IDENTITY_MATCHES_NOBODY', message: why, subject: `${type} ${value}` }];
  });
}

function suspicion(type: AllowedIdentity['type'], value: string): string | null {
  switch (type) {
    case 'DNS':
      if (value.includes('*')) {
        return 'Identities are compared as a whole, and a wildcard stands for nothing but itself: name each client, or pin its CA by having that CA alone in the bundle.';
      }
      return /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/i.test(value)
        ? null
        : 'That is no DNS name as certificates have it: give the name alone, without scheme, port or trailing dot.';
    case 'URI':
      return /^[a-z][a-z0-9+.-]*:./i.test(value)
        ? null
        : 'A URI in a certificate begins with its scheme, such as urn: or spiffe://.';
    case 'EMAIL':
      return /^[^@]+@[^@]+$/.test(value) ? null : 'An e-mail address in a certificate has a name, an @ and a domain.';
    default:
      return null;
  }
}
