import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { bounded, type Step, stepSignal, type TimeLimits } from './step.ts';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The moment in the middle of the exchange, by this machine's clock: what the answer's Date is compared with. */
  readonly at: number;
}

export interface Question {
  /** With query. */
  readonly path: string;
  readonly host: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer of the manager is a few hundred bytes; of another server the beginning tells enough. */
const MOST_BYTES = 65_536;

/** One GET on a connection that ends with it. An upgrade that is granted counts as status 101, and is closed at once. */
export function ask(
  socket: TLSSocket,
  question: Question,
  time: { readonly limits: TimeLimits; readonly whole: AbortSignal; readonly now: () => number },
): Promise<Step<Answer>> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const startedAt = time.now();
  const answer = (response: IncomingMessage, text: string): Answer => ({
    status: response.statusCode ?? 0,
    headers: response.headers,
    text,
    at: (startedAt + time.now()) / 2,
  });
  socket.once('error', reject);
  const headers = { connection: 'close', ...question.headers, host: question.host, 'user-agent': 'sallyport-doctor' };
  const call = request({ method: 'GET', path: question.path, headers, createConnection: () => socket });
  call.once('upgrade', (response, upgraded) => {
    upgraded.destroy();
    resolve(answer(response, ''));
  });
  call.once('response', (response) => {
    const received = answer(response, '');
    textOf(response).then((text) => resolve({ ...received, text }), reject);
  });
  call.on('error', reject);
  call.end();
  const end = () => socket.destroy();
  return bounded(promise, stepSignal(time.limits, time.whole), end).finally(end);
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MOST_BYTES) break;
  }
  return Buffer.concat(chunks).toString('utf8').slice(0, MOST_BYTES);
}
