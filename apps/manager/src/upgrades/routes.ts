import { success } from '@sallyport/protocol';
import {
  AccountUpgrades,
  HaltRequest,
  PublishRequest,
  RingStatus,
  restResponse,
  UpgradeRelease,
  UpgradeRing,
} from '@sallyport/protocol/schemas';
import { Type } from 'typebox';
import { accountOf, principalOf } from '../http/access.ts';
import type { Registration } from '../http/app.ts';
import { refuseControlCharacters } from '../revocation/request-values.ts';
import type { AccountUpgradesService } from './account-upgrades.ts';
import type { ReleaseService } from './release-service.ts';
import type { UpgradeJudge } from './upgrade-judge.ts';

const tags = ['upgrades'];
const config = { access: 'operator' } as const;
const Ring = Type.Object({ ring: UpgradeRing });

/** What the rings publish, for operators; and what an account gets. */
export function upgradeRoutes(
  releases: ReleaseService,
  accounts: AccountUpgradesService,
  judge: Pick<UpgradeJudge, 'look'>,
): Registration {
  return (app) => {
    app.get(
      '/ng/api/upgrades/rings',
      {
        config,
        schema: {
          summary: 'What each ring publishes, and what came of it',
          ...{ tags, response: { 200: restResponse(Type.Array(RingStatus)) } },
        },
      },
      async () => {
        await judge.look();
        return success(await releases.status());
      },
    );
    app.post(
      '/ng/api/upgrades/releases',
      {
        config,
        schema: {
          summary: 'Publish an image to a ring',
          ...{ tags, body: PublishRequest, response: { 200: restResponse(UpgradeRelease) } },
        },
      },
      async (request) => {
        await judge.look();
        const { release, warning } = await releases.publish(request.body, principalOf(request));
        const warnings = warning === null ? [] : [{ ...warning, subject: release.image }];
        return success(release, { warnings });
      },
    );
    app.post(
      '/ng/api/upgrades/rings/:ring/halt',
      {
        config,
        schema: {
          summary: 'Give out nothing new to the accounts of a ring',
          ...{ tags, params: Ring, body: Type.Union([HaltRequest, Type.Null()]) },
          response: { 200: restResponse(UpgradeRelease) },
        },
      },
      async (request) => {
        const { component = 'DELEGATE', reason = 'halted by an operator' } = request.body ?? {};
        refuseControlCharacters('The reason', reason);
        return success(await releases.halt(request.params.ring, component, reason, principalOf(request)));
      },
    );
    app.post(
      '/ng/api/upgrades/rings/:ring/resume',
      {
        config,
        schema: {
          summary: "Give out a halted ring's image again",
          ...{ tags, params: Ring, body: Type.Union([HaltRequest, Type.Null()]) },
          response: { 200: restResponse(UpgradeRelease) },
        },
      },
      async (request) => {
        const { component = 'DELEGATE' } = request.body ?? {};
        return success(await releases.resume(request.params.ring, component, principalOf(request)));
      },
    );
    app.put(
      '/ng/api/upgrades/accounts/:accountIdentifier/ring',
      {
        config,
        schema: {
          summary: 'Put an account into a ring',
          ...{ tags, params: Type.Object({ accountIdentifier: Type.String() }), body: Ring },
          response: { 200: restResponse(Ring) },
        },
      },
      async (request) =>
        success({ ring: await releases.setRing(accountOf(request), request.body.ring, principalOf(request)) }),
    );
    app.get(
      '/ng/api/upgrades/account',
      {
        config: { access: 'account-viewer' },
        schema: {
          summary: "How the account's delegates are kept current, and what came of their upgrades",
          ...{ tags, querystring: Type.Object({ accountIdentifier: Type.Optional(Type.String()) }) },
          response: { 200: restResponse(AccountUpgrades) },
        },
      },
      async (request) => {
        await judge.look();
        return success(await accounts.of(accountOf(request)));
      },
    );
  };
}
