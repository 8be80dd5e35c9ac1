import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { after, type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { TestAuthority } from '../test/certificates.ts';
import { serve } from '../test/servers.ts';
import { ManagerError, TransportError } from './errors.ts';
import { EventParser, type EventStreamRequest, type ServerSentEvent } from './event-stream.ts';
import { ManagerClient } from './manager-client.ts';

const authority = new TestAuthority();
after(() => authority.remove());

const QUICK = { retryBaseMs: 1, retryMaxMs: 2 };

type Answer = (request: IncomingMessage, response: ServerResponse, round: number) => void;

/** A client of a server that answers each request by its number. */
async function clientOf(context: TestContext, answer: Answer): Promise<{ client: ManagerClient; asked: string[] }> {
  const asked: string[] = [];
  const { url } = await serve(context, authority, (request, response) => {
    asked.push(String(request.headers['last-event-id'] ?? ''));
    answer(request, response, asked.length);
  });
  const client = await ManagerClient.create({ baseUrl: url, extraCaFiles: [authority.certificatePath] });
  context.after(() => client.close());
  return { client, asked };
}

const head = (response: ServerResponse) => response.writeHead(200, { 'content-type': 'text/event-stream' });
const event = (id: number) => `id: ${id}\ndata: line ${id}\n\n`;

async function first(client: ManagerClient, count: number, more: Partial<EventStreamRequest> = {}) {
  const events: ServerSentEvent[] = [];
  for await (const one of client.events({ path: '/events', ...QUICK, ...more })) {
    events.push(one);
    if (events.length === count) break;
  }
  return events;
}

function parsed(text: string, size: number): ServerSentEvent[] {
  const parser = new EventParser();
  const bytes = Buffer.from(text);
  const events: ServerSentEvent[] = [];
  for (let at = 0; at < bytes.length; at += size) events.push(...parser.read(bytes.subarray(at, at + size)));
  return events;
}

test('events are read as the standard says, however they are cut', () => {
  const text =
    ': ping\n\nid: 7\ndata: a\ndata:  b é\n\nevent: error\ndata: eof\r\n\r\ndata\rdata\r\rid: 8\n\nretry: 5\ndata: c\n\n';
  for (const size of [1, 2, 3, 10, 1000]) {
    assert.deepEqual(
      parsed(text, size),
      [
        { id: '7', event: 'message', data: 'a\n b é' },
        { id: '7', event: 'error', data: 'eof' },
        { id: '7', event: 'message', data: '\n' },
        { id: '8', event: 'message', data: 'c' },
      ],
      `pieces of ${size}`,
    );
  }
});

test('an event that never ends is refused before it fills the memory', () => {
  const parser = new EventParser();
  const chunk = Buffer.from(`data: ${'x'.repeat(100_000)}\n`);
  const flood = () => {
    for (let n = 0; n < 50; n += 1) parser.read(chunk);
  };
  assert.throws(flood, (error) => error instanceof TransportError && error.failure === 'ANSWER_TOO_LARGE');
  const line = new EventParser();
  const endless = () => {
    for (let n = 0; n < 50; n += 1) line.read(Buffer.from('y'.repeat(100_000)));
  };
  assert.throws(endless, (error) => error instanceof TransportError && error.failure === 'ANSWER_TOO_LARGE');
});

test('after a cut it goes on behind the last event, none lost and none doubled', async (context) => {
  const { client, asked } = await clientOf(context, (request, response) => {
    head(response);
    const from = Number(request.headers['last-event-id'] ?? 0);
    // Each connection gives five events and half of the next, then it is cut.
    for (let id = from + 1; id <= from + 5; id += 1) response.write(event(id));
    response.write(`id: ${from + 6}\ndata: li`, () => response.destroy());
  });
  const losses: string[] = [];
  const events = await first(client, 23, { onLost: (error) => losses.push(error.message) });
  assert.deepEqual(
    events.map(({ id, data }) => [id, data]),
    Array.from({ length: 23 }, (_, n) => [String(n + 1), `line ${n + 1}`]),
  );
  assert.deepEqual(asked, ['', '5', '10', '15', '20']);
  assert.equal(losses.length, 4);
});

test('the end of an answer is a loss too: only the consumer knows what an end is', async (context) => {
  const { client } = await clientOf(context, (_request, response, round) => head(response).end(event(round)));
  assert.deepEqual(
    (await first(client, 3)).map(({ id }) => id),
    ['1', '2', '3'],
  );
});

test('a server that is silent is left after a while and asked again', async (context) => {
  const { client, asked } = await clientOf(context, (_request, response, round) => {
    head(response).write(': ping\n\n');
    if (round > 1) response.write(event(round));
  });
  assert.deepEqual(
    (await first(client, 1, { silenceMs: 50 })).map(({ id }) => id),
    ['2'],
  );
  assert.equal(asked.length, 2);
});

test('a refusal ends it at once, with the words of the log service too', async (context) => {
  const { client, asked } = await clientOf(context, (_request, response) => {
    response.writeHead(400, { 'content-type': 'application/json' });
    response.end('{"error_msg":"operation not permitted for accountID: acme"}');
  });
  await assert.rejects(first(client, 1), (error: unknown) => {
    assert.ok(error instanceof ManagerError);
    assert.deepEqual([error.status, error.code], [400, 'LOG_SERVICE_ERROR']);
    assert.match(error.message, /not permitted/);
    return true;
  });
  assert.equal(asked.length, 1);
});

test('a server that stays broken is given up after the time for it, with what was wrong', async (context) => {
  const { client, asked } = await clientOf(context, (_request, response) => response.writeHead(503).end());
  await assert.rejects(first(client, 1, { giveUpAfterMs: 30 }), TransportError);
  assert.ok(asked.length > 1);
});

test('what is not a stream of events is told as such', async (context) => {
  const { client } = await clientOf(context, (_request, response) => response.end('<html>'));
  await assert.rejects(first(client, 1, { giveUpAfterMs: 0 }), /where a stream of events was asked for/);
});

test('the signal ends it, waiting or reading, with its own reason', async (context) => {
  const { client } = await clientOf(context, (_request, response) => head(response).write(event(1)));
  const stop = new AbortController();
  const reading = (async () => {
    for await (const _ of client.events({ path: '/events', signal: stop.signal })) stop.abort(new Error('enough'));
  })();
  await assert.rejects(reading, /enough/);
});

test('a slow consumer slows the server down instead of filling the memory', async (context) => {
  let sent = 0;
  const { client } = await clientOf(context, (_request, response) => {
    head(response);
    const more = () => {
      while (sent < 200_000 && response.write(`id: ${sent}\ndata: ${'x'.repeat(1000)}\n\n`)) sent += 1;
      sent += 1;
    };
    response.on('drain', more);
    more();
  });
  for await (const _ of client.events({ path: '/events' })) {
    // Turns of the loop in which everything that would be read is read.
    for (let turn = 0; turn < 2000; turn += 1) await nextTurn();
    break;
  }
  assert.ok(sent < 20_000, `${sent} events of 1 kB were taken for one that was read`);
});
