import { setImmediate as nextTurn } from 'node:timers/promises';
import { LARGEST_CRL_UPLOAD, SallyportError, success } from '@sallyport/protocol';
import { Crl, CrlPolicy, CrlPolicyChange, CrlUpload, restResponse } from '@sallyport/protocol/schemas';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { MTLS_ADMIN, MTLS_PATH, MTLS_QUERY, MTLS_TAGS, MTLS_VIEWER, refuseProjects } from '../endpoints/mtls-route.ts';
import { accountOf, principalOf } from '../http/access.ts';
import type { App, Registration } from '../http/app.ts';
import { validatorCompiler } from '../http/validation.ts';
import type { CrlReport, CrlService } from './crl-service.ts';

const querystring = Type.Object(MTLS_QUERY);
const preHandler = refuseProjects;
const lists = { 200: restResponse(Type.Array(Crl)) };
const policyResponse = { 200: restResponse(CrlPolicy) };

/** DER or PEM, as it is published; octet-stream is what tools send when they know no better. */
const RAW_TYPES = ['application/pkix-crl', 'application/x-pem-file', 'application/octet-stream'];
const raw = { schema: Type.Unsafe<Uint8Array>({ type: 'string', format: 'binary' }) };
const CONTENT = {
  'application/json': { schema: CrlUpload },
  ...Object.fromEntries(RAW_TYPES.map((type) => [type, raw])),
};

const answer = ({ crls, policy, warnings }: CrlReport) => success([...crls], { policy, warnings });

export function crlRoutes(crls: CrlService): Registration {
  return (app) => {
    // Of its own, because this body is read by nobody else: JSON as the bytes that came, and lists as they are published.
    app.register(async (scope: App) => {
      scope.removeAllContentTypeParsers();
      for (const type of ['application/json', ...RAW_TYPES]) {
        scope.addContentTypeParser(type, { parseAs: 'buffer' }, async (_request: FastifyRequest, body: Buffer) => body);
      }
      scope.put(
        `${MTLS_PATH}/crl`,
        {
          config: MTLS_ADMIN,
          bodyLimit: LARGEST_CRL_UPLOAD,
          preHandler,
          // The body's schemas describe it; what came are bytes.
          validatorCompiler: (part) => (part.httpPart === 'body' ? () => true : validatorCompiler(part as never)),
          schema: {
            summary:
              "Upload CAs' revocation lists (also as application/pkix-crl or application/x-pem-file, PEM or DER)",
            tags: MTLS_TAGS,
            querystring: Type.Object({ ...MTLS_QUERY, force: Type.Optional(Type.Boolean({ default: false })) }),
            body: { content: CONTENT },
            response: lists,
          },
        },
        async (request) => {
          const upload = await readBody(request.headers['content-type'], request.body);
          const force = request.query.force ?? false;
          return answer(await crls.put(accountOf(request), upload, force, principalOf(request)));
        },
      );
    });
    app.get(
      `${MTLS_PATH}/crl`,
      {
        config: MTLS_VIEWER,
        preHandler,
        schema: { summary: 'Revocation lists in use, one for each CA', tags: MTLS_TAGS, querystring, response: lists },
      },
      async (request) => answer(await crls.list(accountOf(request))),
    );
    app.delete(
      `${MTLS_PATH}/crl/:issuer`,
      {
        config: MTLS_ADMIN,
        preHandler,
        schema: {
          summary: "Forget a CA's revocation list, by its issuerKey, issuerKeyId or authority",
          tags: MTLS_TAGS,
          params: Type.Object({ issuer: Type.String({ maxLength: 128 }) }),
          querystring,
          response: { 200: restResponse(Type.Boolean()) },
        },
      },
      async (request) => {
        await crls.delete(accountOf(request), request.params.issuer, principalOf(request));
        return success(true);
      },
    );
    app.get(
      `${MTLS_PATH}/crl-policy`,
      {
        config: MTLS_VIEWER,
        preHandler,
        schema: {
          summary: 'What becomes of clients when the CRL of their CA has expired',
          ...{ tags: MTLS_TAGS, querystring, response: policyResponse },
        },
      },
      async (request) => success(await crls.policy(accountOf(request))),
    );
    app.patch(
      `${MTLS_PATH}/crl-policy`,
      {
        config: MTLS_ADMIN,
        preHandler,
        schema: {
          summary: 'Refuse clients when the CRL of their CA has expired, or use it for some hours more',
          ...{ tags: MTLS_TAGS, querystring, body: CrlPolicyChange, response: policyResponse },
        },
      },
      async (request) => success(await crls.changePolicy(accountOf(request), request.body, principalOf(request))),
    );
  };
}

/** Some MB: each step is a turn of the event loop of its own. */
async function readBody(contentType: string | undefined, body: unknown): Promise<Uint8Array> {
  if (!(body instanceof Uint8Array)) {
    throw new SallyportError('INVALID_REQUEST', 'No CRL was sent.', {
      remedy: 'Send the CRL, PEM or DER, as the body.',
    });
  }
  if (!/^application\/json\b/i.test(contentType ?? '')) return body;
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  await nextTurn();
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // Its own message quotes the text.
    throw new SallyportError('INVALID_REQUEST', 'The body is not valid JSON.');
  }
  if (!Value.Check(CrlUpload, parsed)) {
    throw new SallyportError('INVALID_REQUEST', 'crl: the PEM text of the CRLs is required.', {
      remedy: 'Send {"crl": "-----BEGIN X509 CRL-----..."}, or the file itself as application/pkix-crl.',
    });
  }
  await nextTurn();
  return Buffer.from(parsed.crl, 'latin1');
}
