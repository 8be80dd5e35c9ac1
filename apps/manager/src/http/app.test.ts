import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SallyportError, success } from '@sallyport/protocol';
import { restResponse } from '@sallyport/protocol/schemas';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Type } from 'typebox';
import { managementApi } from '../../test/management-api.ts';
import { type App, buildApp, type Registration } from './app.ts';
import { createLogger } from './logger.ts';

const response = { 200: restResponse(Type.Unknown()) };

const probes: Registration = (app: App) => {
  app.post(
    '/probe/body',
    {
      config: { access: 'public' },
      schema: {
        summary: 'checks a body',
        response,
        body: Type.Object(
          {
            mode: Type.Union([Type.Literal('LOOSE'), Type.Literal('STRICT')]),
            size: Type.Optional(Type.Integer({ minimum: 1 })),
            list: Type.Optional(Type.Array(Type.Object({ name: Type.String() }))),
          },
          { additionalProperties: false },
        ),
      },
    },
    async () => success(true),
  );
  app.get(
    '/probe/query',
    {
      config: { access: 'public' },
      schema: {
        summary: 'checks a query',
        response,
        querystring: Type.Object({ limit: Type.Integer({ default: 7 }), all: Type.Optional(Type.Boolean()) }),
      },
    },
    async (request) => success(request.query),
  );
  app.get('/probe/crash', { config: { access: 'public' }, schema: { summary: 'fails', response } }, async () => {
    throw new Error('the database password is hunter2');
  });
  app.get('/probe/refused', { config: { access: 'public' }, schema: { summary: 'fails', response } }, async () => {
    throw Object.assign(new Error('connect ECONNREFUSED 10.0.0.1:5432'), { code: 'ECONNREFUSED' });
  });
  app.get('/probe/details', { config: { access: 'public' }, schema: { summary: 'fails', response } }, async () => {
    throw new SallyportError('CONFLICT', 'no', {
      remedy: 'do it again',
      details: { seen: 3 },
      cause: new Error('why'),
    });
  });
  app.post('/probe/echo', { config: { access: 'public' }, schema: { summary: 'echo', response } }, async (request) =>
    success(request.body),
  );
};

const api = (t: Parameters<typeof managementApi>[0]) => managementApi(t, { register: [probes] });

test('an error of ours answers code, message, remedy and correlation id, in the body and in the header', async (t) => {
  const { call } = await api(t);
  const { status, headers, error } = await call(null, 'GET', '/probe/details');
  assert.equal(status, 409);
  assert.equal(headers['x-harness-error'], 'CONFLICT');
  assert.match(String(headers['content-type']), /^application\/json/);
  assert.equal(error.status, 'ERROR');
  assert.equal(error.message, 'no');
  assert.equal(error.remedy, 'do it again');
  assert.match(error.correlationId, /^[0-9a-f-]{36}$/);
  assert.equal(error.resource, null);
  assert.deepEqual(error.responseMessages[0]?.additionalInfo, { remedy: 'do it again', seen: 3 });
  assert.doesNotMatch(JSON.stringify(error), /why/);
});

test('the cause of an unexpected failure is in the log under the correlation id, never in the answer', async (t) => {
  const { call, log } = await api(t);
  const { status, error } = await call(null, 'GET', '/probe/crash');
  assert.equal(status, 500);
  assert.equal(error.code, 'INTERNAL_SERVER_ERROR');
  assert.doesNotMatch(JSON.stringify(error), /hunter2|database/);
  const line = log()
    .split('\n')
    .find((entry) => entry.includes('hunter2'));
  assert.ok(line?.includes(error.correlationId));
});

test('a database that is away is 503 with a time to come back', async (t) => {
  const { call } = await api(t);
  const { status, headers, error } = await call(null, 'GET', '/probe/refused');
  assert.equal(status, 503);
  assert.equal(error.code, 'SERVICE_UNAVAILABLE');
  assert.equal(headers['retry-after'], '2');
  assert.doesNotMatch(JSON.stringify(error), /10\.0\.0\.1/);
});

test('what is wrong with a request is said field by field, and wrong values are not repeated', async (t) => {
  const { call } = await api(t);
  const cases: [unknown, [string, RegExp][]][] = [
    [{}, [['mode', /is required/]]],
    [{ mode: 'OPEN' }, [['mode', /must be one of "LOOSE", "STRICT"/]]],
    [{ mode: 'LOOSE', extra: 'hunter2' }, [['extra', /is not known here/]]],
    [{ mode: 'LOOSE', size: 'hunter2' }, [['size', /integer/]]],
    [{ mode: 'LOOSE', size: '5' }, [['size', /integer/]]],
    [{ mode: 'LOOSE', size: 0 }, [['size', />= 1/]]],
    [{ mode: 'LOOSE', list: [{ name: 'a' }, {}] }, [['list.1.name', /is required/]]],
    [[], [['body', /object/]]],
  ];
  for (const [body, expected] of cases) {
    const { status, headers, error } = await call(null, 'POST', '/probe/body', body);
    assert.equal(status, 400, JSON.stringify(body));
    assert.equal(error.code, 'INVALID_REQUEST');
    assert.equal(error.status, 'FAILURE');
    assert.equal(headers['x-harness-error'], 'INVALID_REQUEST');
    assert.deepEqual(
      error.errors.map(({ fieldId }) => fieldId),
      expected.map(([fieldId]) => fieldId),
    );
    for (const [index, [, text]] of expected.entries()) assert.match(error.errors[index]?.error ?? '', text);
    assert.doesNotMatch(JSON.stringify(error), /hunter2/);
  }
});

test('text in a query becomes the number or boolean it stands for, and defaults are filled in', async (t) => {
  const { call } = await api(t);
  assert.deepEqual((await call(null, 'GET', '/probe/query')).resource, { limit: 7 });
  assert.deepEqual((await call(null, 'GET', '/probe/query?limit=9&all=true')).resource, { limit: 9, all: true });
  for (const limit of ['many', '1.5', '1e1', '0x9', '%209', '']) {
    const { error } = await call(null, 'GET', `/probe/query?limit=${limit}`);
    assert.equal(error?.errors[0]?.fieldId, 'limit', limit);
  }
});

test('a body that is not JSON, is too large or is of another type is refused without quoting it', async (t) => {
  const { app } = await api(t);
  const send = (payload: string, type = 'application/json') =>
    app.inject({ method: 'POST', url: '/probe/echo', headers: { 'content-type': type }, payload });
  for (const [answer, status, code] of [
    [await send('{"secret": hunter2}'), 400, 'INVALID_REQUEST'],
    [await send('{"__proto__": {"admin": true}}'), 400, 'INVALID_REQUEST'],
    [await send('secret=hunter2', 'application/x-www-form-urlencoded'), 400, 'INVALID_REQUEST'],
    [await send(`"${'x'.repeat(256 * 1024)}"`), 413, 'PAYLOAD_TOO_LARGE'],
  ] as const) {
    assert.equal(answer.statusCode, status);
    assert.equal(answer.json().code, code);
    assert.equal(answer.headers['x-harness-error'], code);
    assert.doesNotMatch(answer.body, /hunter2/);
  }
  assert.equal((await send('')).statusCode, 200, 'clients announce JSON on calls without a body');
});

test('an unknown path is 404 and says which, at any prefix and for any caller', async (t) => {
  const { call, keys } = await api(t);
  for (const url of ['/nowhere?secret=1', '/gateway/nowhere', '/ng/api/nowhere']) {
    for (const key of [null, keys.operator]) {
      const { status, error } = await call(key, 'GET', url);
      assert.equal(status, 404);
      assert.equal(error.code, 'RESOURCE_NOT_FOUND');
      assert.doesNotMatch(error.message, /secret/);
    }
  }
  assert.equal((await call(null, 'GET', '/%zz')).error.code, 'INVALID_REQUEST');
});

test('what is to run before authentication sees every request first, also those without a route', async (t) => {
  const apiKeys = { authenticate: async () => Promise.reject(new Error('was asked')) };
  const app = await buildApp(
    {
      logger: createLogger('silent'),
      apiKeys,
      accounts: { exists: async () => true },
      beforeAuthentication: async (request) => {
        if (request.host !== 'right') throw new SallyportError('MISDIRECTED_REQUEST', 'wrong host');
      },
    },
    (declare) =>
      declare.get('/guarded', { config: { access: 'any-key' }, schema: { summary: 'x', response } }, async () =>
        success(1),
      ),
  );
  t.after(() => app.close());
  for (const url of ['/guarded', '/openapi.json', '/nowhere']) {
    const answer = await app.inject({ url, headers: { host: 'wrong', 'x-api-key': 'x' } });
    assert.equal(answer.statusCode, 421, url);
  }
  assert.equal((await app.inject({ url: '/openapi.json', headers: { host: 'right' } })).statusCode, 200);
});

test('every path is also served below /gateway, with the same guard', async (t) => {
  const { call, keys } = await api(t);
  for (const prefix of ['', '/gateway']) {
    assert.equal((await call(keys.operator, 'GET', `${prefix}/ng/api/accounts`)).status, 200);
    assert.equal((await call(null, 'GET', `${prefix}/ng/api/accounts`)).status, 401);
  }
});

test('a route without an access declaration, a summary or a documented success stops the start', async () => {
  const accounts = { exists: async () => true };
  const apiKeys = { authenticate: async () => Promise.reject(new SallyportError('INVALID_TOKEN', 'no')) };
  const options = { logger: createLogger('silent'), apiKeys, accounts };
  const handler = async () => success(true);
  await assert.rejects(
    buildApp(options, (app) => app.get('/open', { schema: { summary: 'x', response } }, handler)),
    /GET \/open declares no access/,
  );
  await assert.rejects(
    buildApp(options, (app) => app.get('/x', { config: { access: 'public' }, schema: { response } }, handler)),
    /GET \/x has no schema.summary/,
  );
  await assert.rejects(
    buildApp(options, (app) => app.get('/x', { config: { access: 'public' }, schema: { summary: 'x' } }, handler)),
    /GET \/x has no schema.response/,
  );
  await assert.rejects(
    buildApp(options, (app) =>
      app.get('/x', { config: { access: 'agent' }, schema: { summary: 'x', response } }, handler),
    ),
    /no agent authentication/,
  );
});

test('the served description is valid OpenAPI, and says of every call who may make it', async (t) => {
  const { call } = await api(t);
  const { body } = await call(null, 'GET', '/openapi.json');
  const result = await new Validator().validate(structuredClone(body));
  assert.deepEqual(result.errors ?? [], []);
  const paths = body['paths'] as Record<
    string,
    Record<string, { summary?: string; security?: unknown[]; responses: object }>
  >;
  assert.deepEqual(paths['/ng/api/accounts']?.['post']?.security, [{ apiKey: [] }]);
  assert.deepEqual(paths['/api/account/{accountIdentifier}/status']?.['get']?.security, []);
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      assert.ok(operation.summary && operation.security, `${method} ${path}`);
      assert.ok('default' in operation.responses, `${method} ${path}`);
    }
  }
});

test('keys and bodies never reach the log, even at the level trace', async (t) => {
  const { call, log, keys } = await api(t);
  await call(keys.operator, 'POST', '/ng/api/accounts', { identifier: 'acme', name: 'Very Private Ltd' });
  await call('sat.first-operator-key.wrong-secret', 'GET', '/ng/api/accounts');
  await call(keys.operator, 'POST', '/ng/api/accounts', '{"identifier": broken-json}', {
    'content-type': 'application/json',
  });
  assert.match(log(), /"route":"\/ng\/api\/accounts"/);
  for (const secret of [keys.operator, 'Very Private', 'wrong-secret', 'broken-json']) {
    assert.ok(!log().includes(secret), secret);
  }
});

test('a logger that is handed a whole request hides its secret headers', async (t) => {
  const { log, app } = await api(t);
  const headers = { authorization: 'Delegate s3', 'x-api-key': 's3', 'x-harness-token': 's3', cookie: 's3', host: 'h' };
  app.log.info({ req: { headers }, headers }, 'looking for something');
  assert.match(log(), /"host":"h"/);
  assert.doesNotMatch(log(), /s3/);
});
