import { DEFAULT_NEEDED_WITHIN_DAYS, SallyportError, success } from '@sallyport/protocol';
import { AddAuthoritiesRequest, AuthorityDetails, restResponse } from '@sallyport/protocol/schemas';
import { Type } from 'typebox';
import { REMEMBERED_MS } from '../delegates/gone-delegates.ts';
import { accountOf, principalOf } from '../http/access.ts';
import type { Registration } from '../http/app.ts';
import type { AuthorityChange, AuthorityService } from './authority-service.ts';
import { MTLS_ADMIN, MTLS_PATH, MTLS_QUERY, MTLS_VIEWER, refuseProjects, MTLS_TAGS as tags } from './mtls-route.ts';
import { refuseLostSafety } from './safety.ts';

const WithinDays = Type.Optional(
  Type.Integer({
    minimum: 1,
    maximum: Math.floor(REMEMBERED_MS / 86_400_000),
    default: DEFAULT_NEEDED_WITHIN_DAYS,
    description: 'Delegates that have been gone for longer are not expected back',
  }),
);

export function authorityRoutes(authorities: AuthorityService): Registration {
  const querystring = Type.Object({ ...MTLS_QUERY, withinDays: WithinDays });
  const response = { 200: restResponse(Type.Array(AuthorityDetails)) };

  return (app) => {
    const write = { config: MTLS_ADMIN, preHandler: [refuseProjects, refuseLostSafety([])] };
    app.get(
      `${MTLS_PATH}/authorities`,
      {
        config: MTLS_VIEWER,
        preHandler: refuseProjects,
        schema: {
          summary: 'Each CA of the bundle: who uses it, who needs it, and since when it is safe to remove',
          ...{ tags, querystring, response },
        },
      },
      async (request) => success(await authorities.list(accountOf(request), daysOf(request.query))),
    );
    app.post(
      `${MTLS_PATH}/authorities`,
      {
        ...write,
        schema: {
          summary: 'Add CA certificates to the bundle; no connection is touched',
          description: `${WAITING} 409 while another bundle is on trial.`,
          ...{ tags, querystring, response, body: AddAuthoritiesRequest },
        },
      },
      async (request) => {
        const { caCertificates } = request.body;
        const change = await authorities.add(
          accountOf(request),
          caCertificates,
          daysOf(request.query),
          principalOf(request),
        );
        const { added, warnings, cutOff } = change;
        return success([...change.authorities], { added, warnings, cutOff, ...waiting(change) });
      },
    );
    app.delete(
      `${MTLS_PATH}/authorities/:fingerprint`,
      {
        ...write,
        schema: {
          summary: 'Remove a CA from the bundle; 409 with the list while a delegate needs it',
          description: `metaData.cutOff names the delegates that were cut off. The last CA in date is never removed, with force neither: the 409 says who needs it. ${WAITING}`,
          tags,
          params: Type.Object({ fingerprint: Type.String({ maxLength: 128 }) }),
          querystring: Type.Object({
            ...querystring.properties,
            force: Type.Optional(
              Type.Boolean({
                description:
                  'Remove it although delegates need it: they are cut off and refused. Of no effect on the last CA in date',
              }),
            ),
          }),
          response,
        },
      },
      async (request) => {
        const { force = false } = request.query;
        const options = { withinDays: daysOf(request.query), force };
        const fingerprint = readFingerprint(request.params.fingerprint);
        const change = await authorities.remove(accountOf(request), fingerprint, options, principalOf(request));
        return success([...change.authorities], { cutOff: change.cutOff, ...waiting(change) });
      },
    );
  };
}

const WAITING =
  'A change of the endpoint that waits for its confirmation goes on waiting; metaData.revertsAt says until when.';

const waiting = ({ revertsAt }: AuthorityChange) => (revertsAt === null ? {} : { revertsAt });

const daysOf = ({ withinDays = DEFAULT_NEEDED_WITHIN_DAYS }: { withinDays?: number }): number => withinDays;

/** SHA-256 in hex, with colons or without, in either case: as openssl, browsers and this API write it. */
function readFingerprint(text: string): string {
  const hex = text.replaceAll(':', '').toLowerCase();
  if (/^[0-9a-f]{64}$/.test(hex)) return hex;
  throw new SallyportError('INVALID_REQUEST', `'${text.slice(0, 80)}' is not a SHA-256 fingerprint.`, {
    remedy: 'Send the 64 hexadecimal digits that the list of authorities shows.',
  });
}
