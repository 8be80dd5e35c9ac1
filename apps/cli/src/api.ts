import {
  CertificateFileError,
  type EventStreamRequest,
  explainTransportFailure,
  ManagerClient,
  ManagerError,
  readProxySettings,
  type ServerSentEvent,
  type StreamedAnswer,
  TransportError,
} from '@sallyport/client';
import { apiError, CliError, usageError } from './errors.ts';
import { EXIT } from './exit-codes.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface Call {
  /** Undefined values are left out. */
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: unknown;
  /** Ends the wait for the answer; the call then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface Answer<T> {
  /** As the control plane sent it; null for an answer without a body. */
  readonly resource: T;
  readonly metaData: Readonly<Record<string, unknown>>;
}

/** The management API as the commands use it. Every failure is a CliError that is ready to be shown. */
export interface Api {
  /**
   * One request. Only the envelope is checked: `T` is the word of the control plane, which may be newer than this
   * program and know fields and values that it does not.
   */
  call<T>(method: Method, path: string, call?: Call): Promise<Answer<T>>;
  /** As `call`, for a list: what is not an array did not come from the API. */
  list<T>(method: Method, path: string, call?: Call): Promise<T[]>;
  /** As `call`, for answers without the envelope: the JSON as it came. */
  plain(method: Method, path: string, call?: Call): Promise<unknown>;
  /** Server-sent events, over as many connections as it takes. */
  events(request: EventStreamRequest): AsyncGenerator<ServerSentEvent>;
  /** The body of an answer as it comes, of any size; null when what the path names is not there. */
  download(path: string, call?: Call): Promise<AsyncIterable<Buffer> | null>;
  close(): Promise<void>;
}

/** The part of a connection that the client needs. */
export interface ApiAddress {
  readonly url: string;
  readonly key: string;
  readonly caFile?: string | undefined;
}

/** A list of tasks carries their output, up to 2 MiB each; beyond this something other than the API is talking. */
const MAX_RESPONSE_BYTES = 64 * 1024 * 1024;

/** Prepares the client; nothing is sent yet. Throws CliError when the CA file or a proxy setting cannot be used. */
export async function openApi(
  connection: ApiAddress,
  variables: Readonly<Record<string, string | undefined>>,
): Promise<Api> {
  const { proxy, problems } = readProxySettings(variables);
  if (problems.length > 0) throw usageError(problems.join(' '), 'Mend or unset the variables that the message names.');
  const client = await createClient(connection, proxy);
  const plain = async (method: Method, path: string, call: Call = {}): Promise<unknown> => {
    try {
      return await client.request({ method, path, ...requestOf(call) });
    } catch (error) {
      throw explained(error);
    }
  };
  const send = async <T>(method: Method, path: string, call?: Call): Promise<Answer<T>> =>
    envelopeOf<T>(await plain(method, path, call), client.target);
  return {
    call: send,
    plain,
    events: (request) => explainedEvents(client.events(request)),
    download: (path, call = {}) => download(client, path, call),
    list: async <T>(method: Method, path: string, call?: Call) => {
      const { resource } = await send<unknown>(method, path, call);
      if (!Array.isArray(resource)) throw notTheApi(client.target);
      return resource as T[];
    },
    close: () => client.close(),
  };
}

async function createClient(
  { url, key, caFile }: ApiAddress,
  proxy: ReturnType<typeof readProxySettings>['proxy'],
): Promise<ManagerClient> {
  try {
    return await ManagerClient.create({
      baseUrl: url,
      extraCaFiles: caFile === undefined ? [] : [caFile],
      proxy,
      userAgent: 'sallyport-cli',
      maxResponseBytes: MAX_RESPONSE_BYTES,
      authentication: async () => ({ 'x-api-key': key }),
    });
  } catch (error) {
    if (error instanceof CertificateFileError) throw usageError(error.message, error.remedy);
    throw error;
  }
}

function requestOf({ query, body, signal }: Call) {
  return {
    query: textsOf(query ?? {}),
    ...(body === undefined ? {} : { body }),
    ...(signal === undefined ? {} : { signal }),
  };
}

async function* explainedEvents(events: AsyncGenerator<ServerSentEvent>): AsyncGenerator<ServerSentEvent> {
  try {
    yield* events;
  } catch (error) {
    throw explained(error);
  }
}

async function download(client: ManagerClient, path: string, call: Call): Promise<AsyncIterable<Buffer> | null> {
  try {
    const answer = await client.stream({ method: 'GET', path, ...requestOf(call) });
    return bodyOf(answer, client.target);
  } catch (error) {
    if (error instanceof ManagerError && error.status === 404) return null;
    throw explained(error);
  }
}

async function* bodyOf(answer: StreamedAnswer, target: string): AsyncGenerator<Buffer> {
  try {
    yield* answer.body;
  } catch (error) {
    throw explained(explainTransportFailure(error, target));
  } finally {
    await answer.close();
  }
}

function textsOf(query: NonNullable<Call['query']>): Record<string, string> {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given.map(([name, value]) => [name, String(value)]));
}

function envelopeOf<T>(answer: unknown, target: string): Answer<T> {
  if (answer === null) return { resource: null as T, metaData: {} };
  if (typeof answer !== 'object' || !('resource' in answer)) throw notTheApi(target);
  const metaData = 'metaData' in answer && typeof answer.metaData === 'object' ? answer.metaData : null;
  return { resource: answer.resource as T, metaData: { ...metaData } };
}

function explained(error: unknown): unknown {
  if (error instanceof ManagerError) {
    return apiError({ ...error, message: error.message, correlationId: error.correlationId ?? undefined });
  }
  if (!(error instanceof TransportError)) return error;
  return new CliError(error.message, {
    code: error.failure,
    exit: EXIT.unreachable,
    remedy: error.failure === 'SERVER_UNTRUSTED' ? UNTRUSTED_REMEDY : error.remedy,
    cause: error,
  });
}

/** The client's own remedy names the delegate's variable. */
const UNTRUSTED_REMEDY =
  'Give the CA certificate that issued it with --ca FILE or SALLYPORT_CA_FILE. If that issuer is a proxy that inspects ' +
  'TLS, ask for an exception for this host.';

const notTheApi = (target: string): CliError =>
  new CliError(`${target} answered something that is not the management API's.`, {
    code: 'UNEXPECTED_ANSWER',
    exit: EXIT.unreachable,
    remedy: 'Check host and port, and that this command and the control plane are of neighbouring versions.',
  });
