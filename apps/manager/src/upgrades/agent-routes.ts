import { success, upgradePaths } from '@sallyport/protocol';
import { DelegateRegistered, ImageText, restResponse, UpgradeCheck } from '@sallyport/protocol/schemas';
import { Type } from 'typebox';
import { agentOf } from '../delegates/agent-guard.ts';
import type { Registration } from '../http/app.ts';
import type { UpgradeCheckService } from './upgrade-check-service.ts';

const tags = ['agent protocol'];
const config = { access: 'agent' } as const;
const Name = Type.String({ maxLength: 128, description: 'name of the delegate that the upgrader keeps current' });

/** What upgraders call, with a delegate token of their account. The account is the token's: the guard saw to that. */
export function upgradeCheckRoutes(checks: UpgradeCheckService): Registration {
  return (app) => {
    app.get(
      upgradePaths.delegate,
      {
        config,
        schema: {
          summary: 'The image that a delegate should run',
          tags,
          querystring: Type.Object({
            accountId: Type.String(),
            currentDelegateImageTag: ImageText,
            delegateName: Type.Optional(Name),
          }),
          response: { 200: restResponse(UpgradeCheck) },
        },
      },
      async (request) => {
        const { currentDelegateImageTag, delegateName } = request.query;
        const { accountId } = agentOf(request);
        return success(await checks.check(accountId, 'DELEGATE', currentDelegateImageTag, delegateName));
      },
    );
    app.get(
      upgradePaths.upgrader,
      {
        config,
        schema: {
          summary: 'The image that an upgrader itself should run',
          tags,
          querystring: Type.Object({
            accountId: Type.String(),
            currentUpgraderImageTag: ImageText,
            delegateName: Type.Optional(Name),
          }),
          response: { 200: restResponse(UpgradeCheck) },
        },
      },
      async (request) => {
        const { currentUpgraderImageTag, delegateName } = request.query;
        const { accountId } = agentOf(request);
        return success(await checks.check(accountId, 'UPGRADER', currentUpgraderImageTag, delegateName));
      },
    );
    app.get(
      upgradePaths.registered,
      {
        config,
        schema: {
          summary: 'Whether a delegate is there with an image, for who has just replaced its container',
          tags,
          querystring: Type.Object({
            accountId: Type.String(),
            delegateName: Name,
            imageTag: ImageText,
            hostName: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
            since: Type.Integer({ minimum: 0, description: 'epoch milliseconds' }),
          }),
          response: { 200: restResponse(DelegateRegistered) },
        },
      },
      async (request) => {
        const { delegateName, imageTag, hostName, since } = request.query;
        return success(
          await checks.registered(agentOf(request).accountId, { delegateName, imageTag, hostName, since }),
        );
      },
    );
  };
}
