import { SallyportError } from '@sallyport/protocol';
import type { FastifyRequest } from 'fastify';

const ACCOUNT_IDENTIFIER = /^[A-Za-z0-9_-]{1,64}$/;

/**
 * The account that a management request is about: header `Harness-Account`, query `account`, query `accountIdentifier` or
 * path `accountIdentifier`. Null when none names one.
 *
 * Were the first of them simply believed, a caller could be authorised for their own account by the header while
 * something further in acts on another account that the query names. So whoever names two is refused.
 */
export function namedAccount(request: FastifyRequest): string | null {
  const query = request.query as Record<string, unknown>;
  const params = request.params as Record<string, unknown>;
  const places = [
    request.headers['harness-account'],
    query['account'],
    query['accountIdentifier'],
    params['accountIdentifier'],
  ];
  const named = new Set(places.flat().filter((place) => place !== undefined && place !== ''));
  if (named.size > 1) {
    throw new SallyportError('INVALID_REQUEST', 'The request names more than one account.', {
      remedy: 'Name the account once, in the query parameter accountIdentifier.',
    });
  }
  const [account] = named;
  if (account === undefined) return null;
  if (typeof account !== 'string' || !ACCOUNT_IDENTIFIER.test(account)) {
    throw new SallyportError('INVALID_REQUEST', `'${String(account).slice(0, 80)}' is not an account identifier.`, {
      remedy: 'An account identifier has 1 to 64 letters, digits, "_" and "-".',
    });
  }
  return account;
}
