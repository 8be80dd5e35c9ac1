import { randomUUID } from 'node:crypto';
import type { LookupFunction } from 'node:net';
import { createSecureContext, type TLSSocket } from 'node:tls';
import {
  AgentTokenSource,
  CertificateFileError,
  type ClientIdentity,
  loadTrustedRoots,
  lookupWithLoopback,
  parseCertificates,
  proxyFor,
} from '@sallyport/client';
import type { Finding } from '@sallyport/manifest';
import { agentPaths } from '@sallyport/protocol';
import { describeCertificate, takePeerCertificates } from '@sallyport/trust';
import type { Environment } from './environment.ts';
import { readClientPair } from './files/client-pair.ts';
import type { FileLook, FileSource } from './files/file-source.ts';
import { machineFiles } from './files/machine-files.ts';
import { isAboutAccount, isAdmission, readWords } from './manager-words.ts';
import { type Answer, ask, type Question } from './network/exchange.ts';
import { type Route, walk } from './network/route.ts';
import { failed, type Step, TIME_LIMITS, type TimeLimits } from './network/step.ts';
import type { LogService, Seen, ServerView } from './seen.ts';
import { type Address, type Problem, readSetup, targetOf } from './setup.ts';

export interface DoctorInput {
  readonly environment: Environment;
  /** Where the files that the environment names are looked at; this machine when not given. */
  readonly files?: FileSource | undefined;
  /** What is wrong with the manifest that the environment comes from; absent without a manifest. */
  readonly manifest?: readonly Finding[] | undefined;
  /** Where the manifest takes a variable from whose value it does not hold: "the Secret x". */
  readonly sourceOf?: ((variable: string) => string | null) | undefined;
  /** Epoch milliseconds. */
  readonly now?: (() => number) | undefined;
  /** Name resolution, with `*.localhost` being loopback when not given. */
  readonly lookup?: LookupFunction | undefined;
  readonly limits?: Partial<TimeLimits> | undefined;
  /** Ends it at once: what was not come to then failed for want of time. */
  readonly signal?: AbortSignal | undefined;
}

/** Looks at everything there is to see, and judges nothing. Never rejects; within the limits of time. */
export async function examine(input: DoctorInput): Promise<Seen> {
  const { environment, files = machineFiles(), now = Date.now, lookup = lookupWithLoopback } = input;
  const limits = { ...TIME_LIMITS, ...input.limits };
  const time = AbortSignal.timeout(limits.totalMs);
  const whole = input.signal === undefined ? time : AbortSignal.any([time, input.signal]);
  const setup = readSetup(environment, input.sourceOf);
  const { clientCertificate, extraCaFile } = setup;
  const look = (path: string | undefined | null): Promise<FileLook | null> =>
    path == null ? Promise.resolve(null) : lookInTime(files, path, whole);
  const [certificate, key, caFile] = await Promise.all([
    look(clientCertificate?.certificatePath),
    look(clientCertificate?.keyPath),
    look(extraCaFile),
  ]);
  const readable = certificate?.text != null && key?.text != null;
  const pair = readable ? readClientPair(certificate, key, new Date(now())) : null;
  const ca = readCa(caFile);
  const local: Seen = {
    setup,
    now: now(),
    skewMs: null,
    filePlace: files.place,
    manifest: input.manifest ?? null,
    caFile,
    caProblem: ca.problem,
    certificate,
    key,
    pair,
    walk: null,
    server: null,
    stranger: null,
    strangerName: `${randomUUID().slice(0, 13)}.doctor.invalid`,
    answer: null,
    asAgent: false,
    words: null,
    accountKnown: null,
    upgrade: null,
    log: null,
  };
  if (setup.manager === null) return local;
  const roots = [...(await loadTrustedRoots([])), ...ca.certificates];
  const tls = { ca: roots, minVersion: 'TLSv1.2' } as const;
  const identity = pair?.identity ?? null;
  const proxyContext = createSecureContext(tls);
  const secureContext = identity === null ? proxyContext : createSecureContext({ ...tls, ...certified(identity) });
  const { host, port } = setup.manager;
  const proxy = proxyFor(setup.proxy, host, port);
  const route: Route = { host, port, proxy, secureContext, proxyContext, lookup, limits, whole };
  return new Examination(local, route, now).run(setup.manager);
}

/** A folder on a network mount that hangs must not hold everything up. */
async function lookInTime(files: FileSource, path: string, whole: AbortSignal): Promise<FileLook> {
  const late = Promise.withResolvers<FileLook>();
  const problem = { what: `${path} did not open in time.`, remedy: 'Look at the volume or network mount it lies on.' };
  const onAbort = () => late.resolve({ path, text: null, problem, mode: null, links: [], isMountPoint: false });
  whole.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([files.look(path), late.promise]);
  } finally {
    whole.removeEventListener('abort', onAbort);
  }
}

function certified(identity: ClientIdentity): { readonly cert: string; readonly key: string } {
  return { cert: identity.certificatePem, key: identity.keyPem.reveal() };
}

function readCa(look: FileLook | null): { certificates: readonly string[]; problem: Problem | null } {
  if (look === null) return { certificates: [], problem: null };
  if (look.text === null) return { certificates: [], problem: look.problem };
  try {
    const certificates = parseCertificates(look.text, look.path).map((certificate) => certificate.toString());
    return { certificates, problem: null };
  } catch (error) {
    const problem =
      error instanceof CertificateFileError
        ? { what: error.message, remedy: error.remedy }
        : { what: `${look.path} cannot be used.`, remedy: 'Give PEM certificates.' };
    return { certificates: [], problem };
  }
}

/** The part that needs the network, from the name to the log service. */
class Examination {
  readonly #local: Seen;
  readonly #route: Route;
  readonly #now: () => number;

  constructor(local: Seen, route: Route, now: () => number) {
    this.#local = local;
    this.#route = route;
    this.#now = now;
  }

  async run(manager: Address): Promise<Seen> {
    const main = await walk(this.#route);
    const socket = main.tls?.ok ? main.tls.value : null;
    const server = socket === null ? null : viewOf(socket);
    const seen: Seen = { ...this.#local, walk: main, server };
    if (socket === null || server === null) return seen;
    const ready = isReady(seen);
    const question = ready ? await this.#admissionQuestion(manager) : dateQuestion(manager, seen.setup.accountId);
    const answer = await this.#ask(socket, question);
    const skewMs = skewOf(answer);
    if (!ready) {
      const stranger = server.trusted ? null : await this.#stranger();
      return { ...seen, answer, skewMs, stranger, log: await this.#logElsewhere(manager) };
    }
    const words = answer.ok ? readWords(answer.value) : null;
    const admitted = words !== null && isAdmission(words.code);
    const [stranger, accountKnown, upgrade, log] = await Promise.all([
      // Where a client certificate is asked for, it is the endpoint itself that asks.
      server.askedForCertificate ? null : this.#stranger(),
      isAboutAccount(words?.code ?? null) ? this.#accountKnown(manager) : null,
      admitted && !seen.setup.pollOnly ? this.#upgrade(manager) : null,
      admitted ? this.#log() : this.#logElsewhere(manager),
    ]);
    return { ...seen, answer, asAgent: true, skewMs, stranger, words, accountKnown, upgrade, log };
  }

  /** A poll of a delegate that nobody has: it proves everything, and nothing comes of it. */
  async #admissionQuestion(manager: Address): Promise<Question> {
    return this.#agentQuestion(manager, agentPaths.taskEvents(strangerId()));
  }

  async #agentQuestion(manager: Address, path: string, more: Record<string, string> = {}): Promise<Question> {
    const { accountId, token, name } = this.#local.setup;
    const query = accountId === null ? '' : `?accountId=${accountId}`;
    const headers: Record<string, string> = { accept: 'application/json', ...more };
    if (token.usable && accountId !== null) {
      const origin = new URL(manager.url).origin;
      const source = new AgentTokenSource({
        accountId,
        token: token.hex,
        issuer: name,
        audience: origin,
        now: this.#now,
      });
      headers['authorization'] = await source.authorization();
    }
    return { path: `${manager.basePath}${path}${query}`, host: hostHeader(manager), headers };
  }

  /** As the delegate opens its push stream, for an id that nobody has: the manager's "unknown" proves the upgrade came. */
  async #upgrade(manager: Address): Promise<Step<Answer>> {
    const question = await this.#agentQuestion(manager, agentPaths.stream(strangerId()), {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': Buffer.from(randomUUID().slice(0, 16)).toString('base64'),
    });
    return this.#askAnew(question);
  }

  async #accountKnown(manager: Address): Promise<boolean | null> {
    const { accountId } = this.#local.setup;
    if (accountId === null) return null;
    const answer = await this.#askAnew({
      path: `${manager.basePath}${agentPaths.accountStatus(accountId)}`,
      host: hostHeader(manager),
    });
    if (!answer.ok) return null;
    const { code } = readWords(answer.value) ?? {};
    return code === null ? true : code === 'ACCOUNT_DOES_NOT_EXIST' ? false : null;
  }

  /** A TLS-inspecting proxy makes a certificate for any name; no real server has one for this. */
  async #stranger(): Promise<ServerView | null> {
    const { tls } = await walk(this.#route, this.#local.strangerName);
    if (!tls?.ok) return null;
    const view = viewOf(tls.value);
    tls.value.destroy();
    return view;
  }

  async #log(): Promise<LogService | null> {
    const { logService } = this.#local.setup;
    if (logService === null) return null;
    const url = `${logService.url}/ready/healthz`;
    const { host, port } = logService;
    const way = await walk({ ...this.#route, host, port, proxy: proxyFor(this.#local.setup.proxy, host, port) });
    const socket = way.tls?.ok ? way.tls.value : null;
    if (socket === null) return { url, walk: way, server: null, answer: null };
    const server = viewOf(socket);
    if (!server.trusted) {
      socket.destroy();
      return { url, walk: way, server, answer: null };
    }
    const question = { path: `${logService.basePath}/ready/healthz`, host: hostHeader(logService) };
    return { url, walk: way, server, answer: await this.#ask(socket, question) };
  }

  /** At the manager itself there is nothing to ask while the manager does not let us in. */
  async #logElsewhere(manager: Address): Promise<LogService | null> {
    const { logService } = this.#local.setup;
    return logService === null || targetOf(logService) === targetOf(manager) ? null : this.#log();
  }

  async #askAnew(question: Question): Promise<Step<Answer>> {
    const { tls } = await walk(this.#route);
    if (tls === null || !tls.ok) return failed(tls === null ? 'CLOSED' : tls.failure.code);
    if (tls.value.authorized) return this.#ask(tls.value, question);
    tls.value.destroy();
    return failed('SERVER_UNTRUSTED');
  }

  #ask(socket: TLSSocket, question: Question): Promise<Step<Answer>> {
    return ask(socket, question, { limits: this.#route.limits, whole: this.#route.whole, now: this.#now });
  }
}

/** The agent's call is made only where a delegate would make it: to a trusted server, with all that the set-up names. */
function isReady({ server, setup, pair }: Seen): boolean {
  const certificateReady = setup.clientCertificate === null || pair?.identity != null;
  return server?.trusted === true && setup.problems.length === 0 && certificateReady;
}

const strangerId = (): string => `doctor-${randomUUID()}`;

/** Asks for nothing but the time: the one call that even a refused connection may make, and that is not recorded. */
function dateQuestion(manager: Address, accountId: string | null): Question {
  const path = accountId === null ? '/healthz' : agentPaths.accountStatus(accountId);
  return { path: `${manager.basePath}${path}`, host: hostHeader(manager) };
}

const hostHeader = (address: Address): string => new URL(address.url).host;

function skewOf(answer: Step<Answer>): number | null {
  const date = answer.ok ? Date.parse(answer.value.headers.date ?? '') : Number.NaN;
  // Date tells whole seconds, rounded down: half a second is what is missing on average.
  return answer.ok && Number.isFinite(date) ? Math.round(date + 500 - answer.value.at) : null;
}

function viewOf(socket: TLSSocket): ServerView {
  return {
    protocol: socket.getProtocol() ?? 'unknown',
    trusted: socket.authorized,
    error: socket.authorized ? null : String(socket.authorizationError),
    chain: takePeerCertificates(socket).map(describeCertificate),
    // OpenSSL keeps the signature algorithms of a CertificateRequest; without one there are none.
    askedForCertificate: socket.getSharedSigalgs().length > 0,
  };
}
