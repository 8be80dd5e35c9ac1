import { DelegateDownloadRequest, DelegateSetupDetails } from '@sallyport/protocol/schemas';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { Registration } from '../http/app.ts';
import { TOKEN_SCOPE, tokenScopeOf } from '../tokens/token-scope.ts';
import type { DownloadService } from './download-service.ts';

const tags = ['downloads'];
const querystring = Type.Object(TOKEN_SCOPE);
/** Each file holds a delegate token: whoever may not see tokens may not get it. */
const config = { access: 'account-admin' } as const;

export function downloadRoutes(downloads: DownloadService): Registration {
  return (app) => {
    app.post(
      '/ng/api/download-delegates/kubernetes',
      {
        config,
        schema: {
          summary: 'The Kubernetes manifest of a new delegate, with its token',
          ...{ tags, querystring, body: DelegateDownloadRequest, response: file('harness-delegate.yaml') },
        },
      },
      async (request, reply) => {
        const { text } = await downloads.kubernetes(tokenScopeOf(request), request.body, publicUrlOf(request));
        return attach(reply, 'harness-delegate.yaml', text);
      },
    );
    app.post(
      '/ng/api/download-delegates/docker',
      {
        config,
        schema: {
          summary: 'The compose file of a new delegate, with its token',
          ...{ tags, querystring, body: DelegateDownloadRequest, response: file('docker-compose.yaml') },
        },
      },
      async (request, reply) => {
        const { text } = await downloads.docker(tokenScopeOf(request), request.body, publicUrlOf(request));
        return attach(reply, 'docker-compose.yaml', text);
      },
    );
    app.post(
      '/ng/api/delegate-setup/generate-helm-values',
      {
        config,
        schema: {
          summary: "The Helm chart's values of a new delegate, with its token",
          ...{ tags, querystring, body: DelegateSetupDetails, response: file('harness-delegate-values.yaml') },
        },
      },
      async (request, reply) => {
        const { text } = await downloads.helmValues(tokenScopeOf(request), request.body, publicUrlOf(request));
        return attach(reply, 'harness-delegate-values.yaml', text);
      },
    );
  };
}

function file(name: string) {
  return {
    200: {
      description: `The file ${name}`,
      content: { 'text/plain': { schema: Type.String() } },
    },
  };
}

function attach(reply: FastifyReply, name: string, text: string): FastifyReply {
  return reply
    .header('content-type', 'text/plain; charset=UTF-8')
    .header('content-disposition', `attachment; filename=${name}`)
    .header('content-transfer-encoding', 'binary')
    .send(text);
}

/** The public listener by the name that this caller reached it by: the file is for nobody else. */
function publicUrlOf({ host }: FastifyRequest): string {
  return `https://${host}`;
}
