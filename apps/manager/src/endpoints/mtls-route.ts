import { SallyportError } from '@sallyport/protocol';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';

// What every management call below /ng/api/agent/mtls has in common.

export const MTLS_PATH = '/ng/api/agent/mtls';
export const MTLS_TAGS = ['mtls-endpoints'];

export const MTLS_ADMIN = { access: 'account-admin', denial: 'NG_ACCESS_DENIED' } as const;
export const MTLS_VIEWER = { access: 'account-viewer', denial: 'NG_ACCESS_DENIED' } as const;

/** Projects are named here only to be refused: dropping them would give a whole account what was meant for one project. */
export const MTLS_QUERY = {
  accountIdentifier: Type.Optional(Type.String()),
  orgIdentifier: Type.Optional(Type.String()),
  projectIdentifier: Type.Optional(Type.String()),
};

export async function refuseProjects(request: FastifyRequest): Promise<void> {
  const { orgIdentifier, projectIdentifier } = request.query as Record<string, string | undefined>;
  if (!orgIdentifier && !projectIdentifier) return;
  throw new SallyportError('INVALID_REQUEST', 'project-level certificates are not supported', {
    remedy: 'Leave orgIdentifier and projectIdentifier out: an account has one mTLS endpoint.',
  });
}
