import { SallyportError } from '@sallyport/protocol';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { accountOf } from '../http/access.ts';
import type { TokenScope } from './token-service.ts';

const Identifier = Type.Optional(Type.String({ pattern: '^([A-Za-z_][A-Za-z0-9_$-]{0,127})?$' }));

/** The query parameters that name an account, or an organisation or project of it. */
export const TOKEN_SCOPE = {
  accountIdentifier: Type.Optional(Type.String()),
  orgIdentifier: Identifier,
  projectIdentifier: Identifier,
};

/** Throws INVALID_REQUEST for a project without its organisation. */
export function tokenScopeOf(request: FastifyRequest): TokenScope {
  const query = request.query as { orgIdentifier?: string; projectIdentifier?: string };
  const { orgIdentifier: org = '', projectIdentifier: project = '' } = query;
  if (project !== '' && org === '') {
    throw new SallyportError('INVALID_REQUEST', `projectIdentifier '${project}' needs orgIdentifier.`);
  }
  return { accountId: accountOf(request), owner: project === '' ? org : `${org}/${project}` };
}
