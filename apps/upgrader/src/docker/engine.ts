import type { Static, TSchema } from 'typebox';
import { Type } from 'typebox';
import { Check } from 'typebox/schema';
import { Agent, request } from 'undici';
import { EXIT, UpgradeError } from '../config/exit-codes.ts';
import { type ApiVersion, agreedVersion } from './api-version.ts';

const Loose = Type.Record(Type.String(), Type.Unknown());

export const ContainerConfig = Type.Object({
  Image: Type.String(),
  Hostname: Type.Optional(Type.String()),
  Env: Type.Optional(Type.Union([Type.Array(Type.String()), Type.Null()])),
  Labels: Type.Optional(Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()])),
  StopTimeout: Type.Optional(Type.Union([Type.Integer(), Type.Null()])),
});

/** What `GET /containers/{id}/json` says, as far as it is read; what else there is goes along untouched. */
export const ContainerDetails = Type.Object({
  Id: Type.String(),
  Name: Type.String(),
  Image: Type.String(),
  State: Type.Object({
    Running: Type.Boolean(),
    Restarting: Type.Optional(Type.Boolean()),
    StartedAt: Type.Optional(Type.String()),
  }),
  Config: Type.Intersect([Loose, ContainerConfig]),
  HostConfig: Type.Intersect([Loose, Type.Object({ AutoRemove: Type.Optional(Type.Boolean()) })]),
  NetworkSettings: Type.Object({
    Networks: Type.Optional(Type.Union([Type.Record(Type.String(), Loose), Type.Null()])),
  }),
  Mounts: Type.Optional(
    Type.Array(
      Type.Object({
        Type: Type.Optional(Type.String()),
        Name: Type.Optional(Type.String()),
        Destination: Type.String(),
        RW: Type.Optional(Type.Boolean()),
      }),
    ),
  ),
});
export type ContainerDetails = Static<typeof ContainerDetails>;

export const ImageDetails = Type.Object({
  Id: Type.String(),
  RepoDigests: Type.Optional(Type.Union([Type.Array(Type.String()), Type.Null()])),
  Config: Type.Optional(Type.Union([Loose, Type.Null()])),
});
export type ImageDetails = Static<typeof ImageDetails>;

const Summaries = Type.Array(Type.Object({ Names: Type.Array(Type.String()) }));
const Created = Type.Object({ Id: Type.String() });
const Failure = Type.Object({ message: Type.String() });

const PULL_TIMEOUT_MS = 15 * 60_000;

interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** The calls of the Docker Engine API that replacing a container needs, over its unix socket. */
export class DockerEngine {
  readonly #agent: Agent;
  readonly #socketPath: string;
  readonly #timeoutMs: number;
  #version: ApiVersion | null = null;

  constructor(socketPath: string, timeoutMs: number) {
    this.#socketPath = socketPath;
    this.#timeoutMs = timeoutMs;
    // Each call has its own end.
    this.#agent = new Agent({ connect: { socketPath }, headersTimeout: 0, bodyTimeout: 0 });
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  /** The version that is spoken with this engine. Throws UpgradeError when there is none that both have. */
  async apiVersion(): Promise<ApiVersion> {
    if (this.#version !== null) return this.#version;
    const { status, offered, text } = await this.#send({ method: 'GET', path: '/_ping' }, '');
    if (status !== 200) throw refused('GET /_ping', status, text);
    this.#version = agreedVersion(offered, this.#socketPath);
    return this.#version;
  }

  /** Null when there is none. */
  async container(nameOrId: string): Promise<ContainerDetails | null> {
    const text = await this.#call({ method: 'GET', path: `/containers/${segment(nameOrId)}/json` }, [404]);
    return text === null ? null : parse(ContainerDetails, text, 'a container');
  }

  /** Names of the containers of a service in a compose file, running or not. */
  async namesOfService(service: string): Promise<string[]> {
    return this.#names({ label: [`com.docker.compose.service=${service}`] });
  }

  /** Names of containers, running or not. `prefix` is that of a container's name. */
  async namesBeginningWith(prefix: string): Promise<string[]> {
    const names = await this.#names({ name: [`^/${prefix.replaceAll('.', '\\.')}`] });
    return names.filter((name) => name.startsWith(prefix));
  }

  async #names(by: Readonly<Record<string, readonly string[]>>): Promise<string[]> {
    const filters = JSON.stringify(by);
    const text = await this.#call({ method: 'GET', path: '/containers/json', query: { all: 'true', filters } });
    return parse(Summaries, text ?? '', 'its containers').flatMap(({ Names }) => Names.slice(0, 1).map(withoutSlash));
  }

  /** Null when the image is not there. */
  async image(name: string): Promise<ImageDetails | null> {
    const text = await this.#call({ method: 'GET', path: `/images/${segment(name)}/json` }, [404]);
    return text === null ? null : parse(ImageDetails, text, 'an image');
  }

  /**
   * Pulls an image. The engine answers 200 as soon as it begins and tells a failure in one of the lines that follow, so
   * that the answer's status says nothing. `credentials` is the registry's, for the engine to sign in with; null: none.
   */
  async pull(repository: string, tagOrDigest: string, credentials: string | null): Promise<void> {
    const text = await this.#call({
      ...{ method: 'POST', path: '/images/create', timeoutMs: PULL_TIMEOUT_MS },
      ...(credentials !== null && { headers: { 'x-registry-auth': credentials } }),
      query: { fromImage: repository, tag: tagOrDigest },
    });
    for (const line of (text ?? '').split('\n').filter((each) => each.trim() !== '')) {
      const progress = parse(Type.Object({ error: Type.Optional(Type.String()) }), line, 'the progress of a pull');
      if (progress.error === undefined) continue;
      throw new UpgradeError(
        EXIT.platform,
        `Docker cannot pull ${repository} at ${tagOrDigest}: ${progress.error}`,
        'Check that the image is in the registry, and that its credentials are in the config.json of Docker that this program reads.',
      );
    }
  }

  async create(name: string, body: unknown): Promise<string> {
    const text = await this.#call({ method: 'POST', path: '/containers/create', query: { name }, body });
    return parse(Created, text ?? '', 'the new container').Id;
  }

  async connect(network: string, container: string, endpoint: unknown): Promise<void> {
    const body = { Container: container, EndpointConfig: endpoint };
    await this.#call({ method: 'POST', path: `/networks/${segment(network)}/connect`, body });
  }

  async start(id: string): Promise<void> {
    await this.#call({ method: 'POST', path: `/containers/${segment(id)}/start` }, [304]);
  }

  /** Asks the container to end and waits; after `graceSeconds` the engine kills it. */
  async stop(id: string, graceSeconds: number): Promise<void> {
    const timeoutMs = graceSeconds * 1000 + this.#timeoutMs;
    const query = { t: String(graceSeconds) };
    await this.#call({ method: 'POST', path: `/containers/${segment(id)}/stop`, query, timeoutMs }, [304]);
  }

  async rename(id: string, name: string): Promise<void> {
    await this.#call({ method: 'POST', path: `/containers/${segment(id)}/rename`, query: { name } });
  }

  /** Its anonymous volumes stay. */
  async remove(id: string): Promise<void> {
    await this.#call({ method: 'DELETE', path: `/containers/${segment(id)}`, query: { force: 'true' } }, [404]);
  }

  /** The text of the answer; null for one of the statuses that are expected beside success. Throws UpgradeError. */
  async #call(call: Call, expected: readonly number[] = []): Promise<string | null> {
    const { status, text } = await this.#send(call, `/v1.${await this.apiVersion()}`);
    if (status >= 200 && status <= 299) return text;
    if (expected.includes(status)) return null;
    throw refused(`${call.method} ${call.path}`, status, text);
  }

  /** `offered` is the newest version of the API that the engine has. */
  async #send(
    { method, path, query, body, headers = {}, timeoutMs }: Call,
    prefix: string,
  ): Promise<{ readonly status: number; readonly text: string; readonly offered: string | null }> {
    const search = query === undefined ? '' : `?${new URLSearchParams(query)}`;
    try {
      const answer = await request(`http://docker${prefix}${path}${search}`, {
        method,
        dispatcher: this.#agent,
        signal: AbortSignal.timeout(timeoutMs ?? this.#timeoutMs),
        headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const offered = answer.headers['api-version'];
      return {
        status: answer.statusCode,
        text: await answer.body.text(),
        offered: typeof offered === 'string' ? offered : null,
      };
    } catch (error) {
      const timedOut = error instanceof Error && error.name === 'TimeoutError';
      const why = timedOut ? 'it did not answer in time' : error instanceof Error ? error.message : String(error);
      throw new UpgradeError(
        EXIT.platform,
        `The Docker Engine at ${this.#socketPath} was not reached (${method} ${path}): ${why}`,
        'Check that the socket is mounted and that this program may use it.',
        error,
      );
    }
  }
}

function refused(what: string, status: number, text: string): UpgradeError {
  return new UpgradeError(
    EXIT.platform,
    `The Docker Engine refused ${what} (${status}): ${failureText(text)}`,
    'Look at the message of the engine; the next run tries again.',
  );
}

export const withoutSlash = (name: string): string => name.replace(/^\//, '');

const segment = (text: string): string => encodeURIComponent(text);

function failureText(text: string): string {
  try {
    const body: unknown = JSON.parse(text);
    return Check(Failure, body) ? body.message : text.slice(0, 300);
  } catch {
    return text.slice(0, 300);
  }
}

function parse<T extends TSchema>(schema: T, text: string, what: string): Static<T> {
  try {
    const value: unknown = JSON.parse(text);
    if (Check(schema, value)) return value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new UpgradeError(
    EXIT.platform,
    `The Docker Engine described ${what} in a way that is not understood.`,
    'Check that the socket is that of a Docker Engine with API 1.41 or newer.',
  );
}
