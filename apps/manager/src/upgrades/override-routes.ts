import { SallyportError, success } from '@sallyport/protocol';
import { ImageText, restResponse, VersionOverride } from '@sallyport/protocol/schemas';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { accountOf, principalOf } from '../http/access.ts';
import type { Registration } from '../http/app.ts';
import type { AccountUpgradesService } from './account-upgrades.ts';
import type { OverrideService } from './override-service.ts';

const tags = ['upgrades'];
const SETUP = '/ng/api/delegate-setup';
const OVERRIDE = `${SETUP}/override-delegate-tag`;
const Scope = {
  accountIdentifier: Type.Optional(Type.String()),
  orgIdentifier: Type.Optional(Type.String()),
  projectIdentifier: Type.Optional(Type.String()),
  tags: Type.Optional(Type.Unknown()),
};
const Narrowed = Type.Object(Scope);
const write = { config: { access: 'account-admin' } as const, preHandler: refuseNarrowing };
const read = { config: { access: 'account-viewer' } as const };

/** The calls of existing clients about versions: the latest one, and an account's own choice. */
export function overrideRoutes(overrides: OverrideService, accounts: AccountUpgradesService): Registration {
  return (app) => {
    app.get(
      `${SETUP}/latest-supported-version`,
      {
        ...read,
        schema: {
          summary: "The version that the account's delegates are given",
          ...{ tags, querystring: Narrowed },
          response: {
            200: restResponse(
              Type.Object({ latestSupportedVersion: Type.String(), latestSupportedMinimalVersion: Type.String() }),
            ),
          },
        },
      },
      async (request) => {
        const version = await accounts.latestVersion(accountOf(request));
        return success({ latestSupportedVersion: version, latestSupportedMinimalVersion: `${version}.minimal` });
      },
    );
    // The older path of the same call is still in clients' hands.
    for (const path of [OVERRIDE, '/ng/api/version-override/delegate-tag']) {
      app.put(
        path,
        {
          ...write,
          schema: {
            summary: "Choose the version of the account's delegates",
            tags,
            querystring: Type.Object({
              ...Scope,
              delegateTag: ImageText,
              validTillNextRelease: Type.Boolean({ default: false }),
              validForDays: Type.Integer({ minimum: 1, maximum: 180, default: 180 }),
              allowOlder: Type.Boolean({ default: false, description: 'also for delegates that run a newer one' }),
            }),
            response: { 200: restResponse(Type.String()) },
          },
        },
        async (request) => {
          const { version } = await overrides.set(accountOf(request), request.query, principalOf(request));
          return success(`Delegates of the account are given the version ${version}.`);
        },
      );
    }
    app.get(
      OVERRIDE,
      {
        ...read,
        schema: {
          summary: 'The version that the account chose',
          ...{ tags, querystring: Narrowed },
          response: { 200: restResponse(Type.Object({ versionOverrides: Type.Array(VersionOverride) })) },
        },
      },
      async (request) => {
        const override = await overrides.find(accountOf(request));
        return success({ versionOverrides: override === null ? [] : [override] });
      },
    );
    for (const path of [OVERRIDE, `${SETUP}/delete-delegate-override`]) {
      app.delete(
        path,
        {
          ...write,
          schema: {
            summary: 'Go back to the version that the ring publishes',
            ...{ tags, querystring: Narrowed, response: { 200: restResponse(Type.Boolean()) } },
          },
        },
        async (request) => success(await overrides.remove(accountOf(request), principalOf(request))),
      );
    }
  };
}

/** Upgraders say which account they are of, and no more: what was meant for one project would hold for all of them. */
async function refuseNarrowing(request: FastifyRequest): Promise<void> {
  const { orgIdentifier, projectIdentifier, tags: delegateTags } = request.query as Record<string, unknown>;
  if (!orgIdentifier && !projectIdentifier && !delegateTags) return;
  throw new SallyportError('INVALID_REQUEST', 'A version override is for the whole account.', {
    remedy: 'Leave orgIdentifier, projectIdentifier and tags out.',
  });
}
