import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { type DevAccount, DevAgent, type DevManager, KeptConnection } from '@sallyport/dev-env';
import { LOG_SERVICE } from '@sallyport/protocol';

// The log service by hand, as writers and viewers speak it.

export interface LogAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

export interface SentEvent {
  readonly id: number | null;
  readonly event: string | null;
  readonly data: string;
}

/** One client of the log service on one kept connection. */
export class LogClient {
  readonly connection: KeptConnection;
  readonly #accountId: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(connection: KeptConnection, accountId: string, headers: Readonly<Record<string, string>>) {
    this.connection = connection;
    this.#accountId = accountId;
    this.#headers = headers;
  }

  /** A request with the query given as it is: existing writers escape nothing. */
  async raw(method: string, path: string, query: string, body?: string | Buffer): Promise<LogAnswer> {
    const answer = await this.connection.request(method, `${LOG_SERVICE}${path}?${query}`, {
      headers: { ...this.#headers },
      ...(body !== undefined && { body }),
    });
    const { body: parsed } = answer as { body: unknown };
    return {
      status: answer.status,
      headers: answer.headers as IncomingMessage['headers'],
      text: typeof parsed === 'string' ? parsed : JSON.stringify(parsed),
    };
  }

  call(method: string, path: string, key: string, more = '', body?: string | Buffer): Promise<LogAnswer> {
    return this.raw(method, path, `accountID=${this.#accountId}&key=${encodeURIComponent(key)}${more}`, body);
  }

  open(key: string): Promise<LogAnswer> {
    return this.call('POST', '/stream', key);
  }

  write(key: string, ...texts: string[]): Promise<LogAnswer> {
    return this.call('PUT', '/stream', key, '', JSON.stringify(texts.map((out, pos) => line(out, pos))));
  }

  close(key: string, more = ''): Promise<LogAnswer> {
    return this.call('DELETE', '/stream', key, more);
  }

  blob(key: string): Promise<LogAnswer> {
    return this.call('GET', '/blob', key);
  }

  /** Takes the connection for itself. */
  tail(key: string, more = '', headers: Readonly<Record<string, string>> = {}): Promise<DevTail> {
    const query = `accountID=${this.#accountId}&key=${encodeURIComponent(key)}${more}`;
    return DevTail.open(this.connection, `${LOG_SERVICE}/stream?${query}`, { ...this.#headers, ...headers });
  }
}

/** An open tail, with everything that came through it. */
export class DevTail {
  readonly response: IncomingMessage;
  text = '';
  /** Resolves when the answer has ended; true: in good order. */
  readonly ended: Promise<boolean>;
  #wake: () => void = () => undefined;

  private constructor(response: IncomingMessage) {
    this.response = response;
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      this.text += chunk;
      this.#wake();
    });
    response.on('error', () => this.#wake());
    this.ended = new Promise((resolve) =>
      response.on('close', () => {
        resolve(response.complete);
        this.#wake();
      }),
    );
  }

  static async open(
    connection: KeptConnection,
    path: string,
    headers: Readonly<Record<string, string>>,
  ): Promise<DevTail> {
    const request = httpRequest({
      agent: connection.agent,
      path,
      headers: { host: connection.socket.servername || 'localhost', ...headers },
    });
    request.end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    return new DevTail(response);
  }

  get events(): SentEvent[] {
    return this.text
      .split('\n\n')
      .slice(0, -1)
      .filter((part) => !part.startsWith(':'))
      .map((part) => {
        const field = (name: string) =>
          part
            .split('\n')
            .find((row) => row.startsWith(`${name}: `))
            ?.slice(name.length + 2) ?? null;
        const id = field('id');
        return { id: id === null ? null : Number(id), event: field('event'), data: field('data') ?? '' };
      });
  }

  /** Sequence number and text of the lines so far. */
  get lines(): (readonly [number | null, string])[] {
    return this.events
      .filter(({ event }) => event === null)
      .map(({ id, data }) => [id, (JSON.parse(data) as { out: string }).out] as const);
  }

  get outs(): string[] {
    return this.lines.map(([, out]) => out);
  }

  /** Resolves when `look` is true of it; rejects when it ends before. */
  async until(look: (tail: this) => boolean): Promise<void> {
    let over = false;
    void this.ended.then(() => {
      over = true;
    });
    while (!look(this)) {
      if (over) throw new Error(`the tail ended: ${this.text.slice(-400)}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

export function line(out: string, pos = 0): object {
  return { level: 'info', pos, out, time: '2026-01-02T03:04:05.000000006Z', args: null };
}

/** Opens clients and closes their connections. */
export class LogRig {
  readonly dev: DevManager;
  readonly #opened: KeptConnection[] = [];

  constructor(dev: DevManager) {
    this.dev = dev;
  }

  async plain(): Promise<KeptConnection> {
    const connection = await KeptConnection.open({
      port: this.dev.manager.publicAddress.port,
      serverName: 'localhost',
    });
    return this.keep(connection);
  }

  keep(connection: KeptConnection): KeptConnection {
    this.#opened.push(connection);
    return connection;
  }

  /** A token for the whole account. */
  async token({ id, adminKey }: DevAccount): Promise<string> {
    const answer = await this.dev.api('GET', `${LOG_SERVICE}/token?accountID=${id}`, undefined, adminKey);
    if (answer.status !== 200) throw new Error(`no log token: ${answer.status} ${JSON.stringify(answer.body)}`);
    return String(answer.body);
  }

  async writer(account: DevAccount, token?: string): Promise<LogClient> {
    const headers = { 'x-harness-token': token ?? (await this.token(account)) };
    return new LogClient(await this.plain(), account.id, headers);
  }

  async reader(account: DevAccount, key = account.viewerKey): Promise<LogClient> {
    return new LogClient(await this.plain(), account.id, { 'x-api-key': key });
  }

  /** The `logging` that a delegate gets with a task. */
  async logging(account: DevAccount): Promise<{ token: string; taskId: string; agent: DevAgent }> {
    const agent = new DevAgent(await this.plain(), { accountId: account.id, token: account.token, name: 'logging' });
    await agent.register();
    const path = `/ng/api/tasks?accountIdentifier=${account.id}`;
    const taskId = String((await this.dev.must('POST', path, { type: 'ECHO', data: {} }, account.adminKey))['id']);
    const { body } = await agent.acquire(taskId);
    return { token: String(body['logging']?.['token']), taskId, agent };
  }

  close(): void {
    for (const connection of this.#opened) connection.close();
  }
}
