import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { AgentTokenSource, Secret } from '@sallyport/client';
import { type DevAccount, DevManager } from '@sallyport/dev-env';
import { createLogger, readConfig } from '@sallyport/manager';
import { Compile } from 'typebox/compile';
import { createContext } from '../src/context.ts';
import { serializerOf } from '../src/http/serialization.ts';
import {
  ADMINS,
  AGENTS,
  ANY_KEY,
  type AuthorizationMatrix,
  checkAuthorization,
  LOG_READERS,
  LOG_WRITERS,
  type MatrixSubject,
  NOBODY,
  OPERATORS,
  PUBLIC,
  type Route,
  VIEWERS,
} from './authorization-matrix.ts';

/** Every route of the whole manager, over its public listener. */
const MATRIX: AuthorizationMatrix = {
  'GET /openapi.json': PUBLIC,
  'GET /api/account/:accountIdentifier/status': PUBLIC,
  'GET /ng/api/accounts': OPERATORS,
  'POST /ng/api/accounts': OPERATORS,
  'GET /ng/api/accounts/:accountIdentifier': VIEWERS,
  'PATCH /ng/api/accounts/:accountIdentifier': OPERATORS,
  'DELETE /ng/api/accounts/:accountIdentifier': OPERATORS,
  'GET /ng/api/api-keys': ADMINS,
  'POST /ng/api/api-keys': ADMINS,
  'GET /ng/api/api-keys/current': ANY_KEY,
  'DELETE /ng/api/api-keys/:uuid': ADMINS,
  'GET /ng/api/agent/mtls/endpoint': VIEWERS,
  'POST /ng/api/agent/mtls/endpoint': ADMINS,
  'PUT /ng/api/agent/mtls/endpoint': ADMINS,
  'PATCH /ng/api/agent/mtls/endpoint': ADMINS,
  'DELETE /ng/api/agent/mtls/endpoint': ADMINS,
  'POST /ng/api/agent/mtls/endpoint/confirm': ADMINS,
  'GET /ng/api/agent/mtls/readiness': VIEWERS,
  'GET /ng/api/agent/mtls/crl': VIEWERS,
  'PUT /ng/api/agent/mtls/crl': ADMINS,
  'DELETE /ng/api/agent/mtls/crl/:issuer': ADMINS,
  'GET /ng/api/agent/mtls/crl-policy': VIEWERS,
  'PATCH /ng/api/agent/mtls/crl-policy': ADMINS,
  'GET /ng/api/agent/mtls/denied-certificates': VIEWERS,
  'POST /ng/api/agent/mtls/denied-certificates': ADMINS,
  'DELETE /ng/api/agent/mtls/denied-certificates/:certificate': ADMINS,
  'GET /ng/api/agent/mtls/allowed-identities': VIEWERS,
  'PUT /ng/api/agent/mtls/allowed-identities': ADMINS,
  'GET /ng/api/agent/mtls/pinned-certificates': VIEWERS,
  'PUT /ng/api/agent/mtls/delegates/:delegateName/pinned-certificate': ADMINS,
  'DELETE /ng/api/agent/mtls/delegates/:delegateName/pinned-certificate': ADMINS,
  'GET /ng/api/agent/mtls/authorities': VIEWERS,
  'POST /ng/api/agent/mtls/authorities': ADMINS,
  'DELETE /ng/api/agent/mtls/authorities/:fingerprint': ADMINS,
  'GET /ng/api/agent/mtls/check-availability': VIEWERS,
  'GET /ng/api/delegate-token-ng': VIEWERS,
  'POST /ng/api/delegate-token-ng': ADMINS,
  'PUT /ng/api/delegate-token-ng': ADMINS,
  'DELETE /ng/api/delegate-token-ng': ADMINS,
  'GET /ng/api/delegate-token-ng/delegate-groups': VIEWERS,
  'GET /ng/api/audit': ADMINS,
  'GET /healthz': PUBLIC,
  'GET /metrics': OPERATORS,
  'GET /ng/api/agent/mtls/refusals': VIEWERS,
  'GET /ng/api/agent/mtls/certificates': VIEWERS,
  'GET /ng/api/agent/mtls/webhooks': VIEWERS,
  'POST /ng/api/agent/mtls/webhooks': ADMINS,
  'DELETE /ng/api/agent/mtls/webhooks/:webhook': ADMINS,
  'POST /ng/api/agent/mtls/webhooks/:webhook/test': ADMINS,
  'GET /ng/api/agent/mtls/webhooks/:webhook/deliveries': VIEWERS,
  'POST /ng/api/delegate-setup/listDelegates': VIEWERS,
  'GET /ng/api/delegate-setup/latest-supported-version': VIEWERS,
  'GET /ng/api/delegate-setup/override-delegate-tag': VIEWERS,
  'PUT /ng/api/delegate-setup/override-delegate-tag': ADMINS,
  'DELETE /ng/api/delegate-setup/override-delegate-tag': ADMINS,
  'DELETE /ng/api/delegate-setup/delete-delegate-override': ADMINS,
  'PUT /ng/api/version-override/delegate-tag': ADMINS,
  'GET /ng/api/upgrades/account': VIEWERS,
  'GET /ng/api/upgrades/rings': OPERATORS,
  'POST /ng/api/upgrades/releases': OPERATORS,
  'POST /ng/api/upgrades/rings/:ring/halt': OPERATORS,
  'POST /ng/api/upgrades/rings/:ring/resume': OPERATORS,
  'PUT /ng/api/upgrades/accounts/:accountIdentifier/ring': OPERATORS,
  'GET /api/upgrade-check/delegate': AGENTS,
  'GET /api/upgrade-check/upgrader': AGENTS,
  'GET /api/upgrade-check/registered': AGENTS,
  'DELETE /ng/api/delegate-setup/delegate/:delegateIdentifier': ADMINS,
  'POST /ng/api/download-delegates/kubernetes': ADMINS,
  'POST /ng/api/download-delegates/docker': ADMINS,
  'POST /ng/api/delegate-setup/generate-helm-values': ADMINS,
  'GET /ng/api/tasks': VIEWERS,
  'POST /ng/api/tasks': ADMINS,
  'GET /ng/api/tasks/:taskId': VIEWERS,
  'POST /ng/api/tasks/:taskId/abort': ADMINS,
  'POST /api/agent/delegates/register': AGENTS,
  'POST /api/agent/delegates/heartbeat-with-polling': AGENTS,
  'POST /api/agent/delegates/unregister': AGENTS,
  'GET /api/agent/delegates/:delegateId/task-events': AGENTS,
  'POST /api/agent/delegates/register-delegate-capacity/:delegateId': AGENTS,
  'PUT /api/agent/v2/delegates/:delegateId/tasks/:taskId/acquire': AGENTS,
  'POST /api/agent/v2/tasks/:taskId/delegates/:delegateId': AGENTS,
  'POST /api/executions/:taskId/task-response': AGENTS,
  'POST /api/executions/:taskId/response': AGENTS,
  'POST /log-service/stream': LOG_WRITERS,
  'PUT /log-service/stream': LOG_WRITERS,
  'DELETE /log-service/stream': LOG_WRITERS,
  'GET /log-service/stream': LOG_READERS,
  'GET /log-service/stream/info': LOG_READERS,
  'POST /log-service/blob': LOG_WRITERS,
  'GET /log-service/blob': LOG_READERS,
  'DELETE /log-service/blob': LOG_WRITERS,
  'GET /log-service/blob/exists': LOG_READERS,
  'POST /log-service/blob/link/upload': LOG_WRITERS,
  'POST /log-service/blob/link/download': LOG_READERS,
  'PUT /log-service/blob/link/content': NOBODY,
  'GET /log-service/blob/link/content': NOBODY,
  'GET /log-service/blob/link/archive': NOBODY,
  'GET /log-service/blob/download': LOG_READERS,
  'POST /log-service/blob/download': LOG_READERS,
  'DELETE /log-service/internal/blob': ADMINS,
  'GET /log-service/token': ADMINS,
  'GET /log-service/healthz': PUBLIC,
  'GET /log-service/ready/healthz': PUBLIC,
};

test('every route lets through exactly whom it is for', async (t) => {
  const dev = await DevManager.start();
  t.after(() => dev.stop());
  // Kept: what is looked at is who is let through, and a handshake costs more than a request.
  const agent = new Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  const { paths } = (await dev.api('GET', '/openapi.json')).body;
  const routes = Object.entries(paths ?? {}).flatMap(([path, methods]) =>
    Object.keys(methods).map(
      (method): Route => ({ method: method.toUpperCase(), url: path.replace(/\{(\w+)\}/g, ':$1') }),
    ),
  );
  // Whom the calls are not about stays as it was: whoever could change it would be let through, and fail the test.
  const warnings: Error[] = [];
  const warned = (warning: Error) => warnings.push(warning);
  process.on('warning', warned);
  t.after(() => process.off('warning', warned));
  const other = await dev.account('other');
  const otherDelegate = { ...(await agentHeaders(other)), ...(await logHeaders(dev, other)) };
  let built = 0;
  await checkAuthorization(t, MATRIX, routes, async () => {
    built += 1;
    const acme = await dev.account(`acme-${built}`);
    const key = (text: string) => ({ 'x-api-key': text });
    const headers: MatrixSubject['headers'] = {
      anonymous: {},
      delegate: { ...(await agentHeaders(acme)), ...(await logHeaders(dev, acme)) },
      otherDelegate,
      viewer: key(acme.viewerKey),
      otherViewer: key(other.viewerKey),
      admin: key(acme.adminKey),
      otherAdmin: key(other.adminKey),
      operator: key(dev.operatorKey),
    };
    return {
      account: acme.id,
      headers,
      send: async (method, url, sent, body) =>
        (
          await dev.request(`${dev.publicUrl}${url}`, {
            method,
            headers: sent,
            agent,
            ...(body !== undefined && { body }),
          })
        ).status,
    };
  });
  for (const key of [other.viewerKey, other.adminKey]) {
    assert.equal((await dev.api('GET', '/ng/api/accounts/other', undefined, key)).status, 200, 'it stayed as it was');
  }
  const leaks = warnings.filter(({ name }) => name === 'MaxListenersExceededWarning');
  assert.deepEqual(leaks, [], 'one connection has spoken for all accounts, which is no leak');
});

test('every schema of every route compiles, which happens at the first request and not at the start', async (t) => {
  const dataDirectory = mkdtempSync(join(tmpdir(), 'sallyport-schemas-'));
  t.after(() => rmSync(dataDirectory, { recursive: true }));
  const { config, secrets } = readConfig({ SALLYPORT_DATA_DIR: dataDirectory });
  const { app, close } = await createContext(config, secrets, createLogger('info', new PassThrough().resume()));
  t.after(close);
  const { declaredRoutes } = app;
  assert.deepEqual(
    declaredRoutes.map(({ method, url }) => `${method} ${url}`).sort(),
    Object.keys(MATRIX).sort(),
    'every route is looked at',
  );
  const broken = declaredRoutes.flatMap(({ schema, method, url }) => {
    const requests = [schema.body, schema.querystring, schema.params, schema.headers].filter(
      (part) => part !== undefined,
    );
    const answers = Object.values(schema.response as object);
    return [
      ...requests.flatMap(byContentType).map((part) => whyNot(() => Compile(part as never))),
      ...answers.flatMap(byContentType).map((part) => whyNot(() => serializerOf(part))),
    ].flatMap((why) => (why === null ? [] : [`${method} ${url}: ${why}`]));
  });
  assert.deepEqual(broken, []);
});

/** One schema, or one for each content type. */
function byContentType(part: unknown): readonly unknown[] {
  const { content } = part as { readonly content?: Readonly<Record<string, { readonly schema: unknown }>> };
  return content === undefined ? [part] : Object.values(content).map(({ schema }) => schema);
}

function whyNot(make: () => unknown): string | null {
  try {
    make();
    return null;
  } catch (error) {
    return String(error);
  }
}

async function logHeaders(dev: DevManager, { id, adminKey }: DevAccount): Promise<Record<string, string>> {
  const { body } = await dev.api('GET', `/log-service/token?accountID=${id}`, undefined, adminKey);
  return { 'x-harness-token': String(body) };
}

async function agentHeaders({ id, token }: DevAccount): Promise<Record<string, string>> {
  const source = new AgentTokenSource({ accountId: id, token: new Secret(token), issuer: 'test', audience: 'test' });
  return { authorization: await source.authorization() };
}
