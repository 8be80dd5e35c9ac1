import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createAuthority, issueServerCertificate } from '@sallyport/trust';
import {
  type Answer,
  conflict,
  discovery,
  forbidden,
  notFound,
  RESOURCES,
  type Resource,
  unauthorized,
  unknownPath,
  unsupportedMediaType,
} from './kubernetes-answers.ts';
import { isObject, type Json, type JsonObject, strategicMerge } from './strategic-merge.ts';

/** A rule of a Role. */
export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

export interface Call {
  readonly verb: string;
  readonly resource: string;
  readonly name: string;
  readonly contentType: string | undefined;
  readonly body: JsonObject | null;
  readonly status: number;
}

/**
 * The part of a Kubernetes API server that reads and patches Deployments and CronJobs: TLS, bearer tokens, RBAC rules,
 * strategic merge, resource versions, and the bodies of a real one's failures.
 */
export class KubernetesApi {
  readonly calls: Call[] = [];
  readonly caPem: string;
  /** Runs before a call is answered, after it was allowed: to change things in between. */
  interfere: (call: Pick<Call, 'verb' | 'resource'>) => void | Promise<void> = () => undefined;
  readonly #server: Server;
  readonly #users = new Map<
    string,
    { readonly name: string; readonly rules: readonly Rule[]; readonly namespace: string }
  >();
  readonly #objects = new Map<string, JsonObject>();
  #version = 1000;

  private constructor(server: Server, caPem: string) {
    this.#server = server;
    this.caPem = caPem;
    server.on('request', (request, response) => void this.#serve(request, response));
  }

  static async start(): Promise<KubernetesApi> {
    const now = new Date();
    const authority = await createAuthority({ subject: { commonName: 'kubernetes' }, keyAlgorithm: 'EC P-256', now });
    const pair = await issueServerCertificate({
      authority,
      dnsNames: ['localhost'],
      ipAddresses: ['127.0.0.1'],
      days: 1,
      now,
    });
    const server = createServer({ cert: pair.certificatePem, key: pair.privateKeyPem });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new KubernetesApi(server, authority.certificatePem);
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Who comes with the token may do in the namespace what the rules say. */
  allow(token: string, account: string, namespace: string, rules: readonly Rule[]): void {
    this.#users.set(token, { name: `system:serviceaccount:${namespace}:${account}`, namespace, rules });
  }

  /** A kubeconfig file's text for that token. */
  kubeconfig(token: string): string {
    const ca = Buffer.from(this.caPem).toString('base64');
    return JSON.stringify({
      ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'test' },
      clusters: [{ name: 'test', cluster: { server: this.url, 'certificate-authority-data': ca } }],
      users: [{ name: 'test', user: { token } }],
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace: 'default' } }],
    });
  }

  /** As `kubectl apply` of one object; its resource version changes. */
  put(object: JsonObject): void {
    const metadata = isObject(object['metadata']) ? object['metadata'] : {};
    const resource = RESOURCES.find(({ kind }) => kind === object['kind']);
    if (resource === undefined) throw new Error(`the stand-in keeps no ${String(object['kind'])}`);
    const key = keyOf(resource, String(metadata['namespace']), String(metadata['name']));
    const before = this.#objects.get(key)?.['metadata'];
    const generation = isObject(before) ? Number(before['generation']) + 1 : 1;
    this.#version += 1;
    const kept = { uid: `uid-of-${String(metadata['name'])}`, generation, resourceVersion: String(this.#version) };
    this.#objects.set(key, { ...object, metadata: { ...metadata, ...kept } });
  }

  object(plural: string, namespace: string, name: string): JsonObject {
    const resource = RESOURCES.find((each) => each.plural === plural);
    const object = resource && this.#objects.get(keyOf(resource, namespace, name));
    if (object === undefined) throw new Error(`there is no ${plural} ${namespace}/${name}`);
    return object;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = await readAll(request);
    const { status, body } = await this.#answer(request, text);
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  }

  async #answer(request: IncomingMessage, text: string): Promise<Answer> {
    const { pathname } = new URL(request.url ?? '/', 'https://api');
    const user = this.#users.get(/^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '');
    if (user === undefined) return unauthorized();
    const known = discovery(pathname);
    if (known !== null) return known;
    const path = /^\/apis\/([^/]+)\/([^/]+)\/namespaces\/([^/]+)\/([^/]+)(?:\/([^/]+))?$/.exec(pathname);
    const [, group, version, namespace = '', plural, name = ''] = path ?? [];
    const resource = RESOURCES.find(
      (each) => each.group === group && each.version === version && each.plural === plural,
    );
    const verb = verbOf(request.method, name);
    if (resource === undefined || verb === null) return unknownPath();
    const allowed = user.namespace === namespace && user.rules.some((rule) => permits(rule, verb, resource, name));
    if (allowed) await this.interfere({ verb, resource: resource.plural });
    const contentType = request.headers['content-type'];
    const patch = text === '' ? null : (JSON.parse(text) as JsonObject);
    const answer = allowed
      ? this.#act(verb, resource, namespace, name, contentType, patch)
      : forbidden(user.name, verb, resource, namespace, name);
    this.calls.push({ verb, resource: resource.plural, name, contentType, body: patch, status: answer.status });
    return answer;
  }

  #act(
    verb: string,
    resource: Resource,
    namespace: string,
    name: string,
    contentType: string | undefined,
    patch: JsonObject | null,
  ): Answer {
    const { group, version, kind } = resource;
    const apiVersion = `${group}/${version}`;
    if (verb === 'list') {
      const prefix = keyOf(resource, namespace, '');
      const items = [...this.#objects].filter(([key]) => key.startsWith(prefix)).map(([, object]) => object);
      const metadata = { resourceVersion: String(this.#version) };
      return { status: 200, body: { kind: `${kind}List`, apiVersion, metadata, items } };
    }
    const object = this.#objects.get(keyOf(resource, namespace, name));
    if (object === undefined) return notFound(resource, name);
    if (verb === 'get') return { status: 200, body: object };
    if (contentType?.split(';')[0] !== 'application/strategic-merge-patch+json' || patch === null) {
      return unsupportedMediaType();
    }
    const expected = isObject(patch['metadata']) ? patch['metadata']['resourceVersion'] : undefined;
    if (expected !== undefined && expected !== versionOf(object)) return conflict(resource, name);
    this.put(strategicMerge(object, patch));
    return { status: 200, body: this.object(resource.plural, namespace, name) };
  }
}

function permits(
  { apiGroups, resources, resourceNames, verbs }: Rule,
  verb: string,
  resource: Resource,
  name: string,
): boolean {
  const has = (list: readonly string[], value: string) => list.includes(value) || list.includes('*');
  if (!has(apiGroups, resource.group) || !has(resources, resource.plural) || !has(verbs, verb)) return false;
  // A list has no name: a rule with names never allows it.
  return resourceNames === undefined || (name !== '' && resourceNames.includes(name));
}

function verbOf(method: string | undefined, name: string): string | null {
  if (method === 'GET') return name === '' ? 'list' : 'get';
  return method === 'PATCH' && name !== '' ? 'patch' : null;
}

const keyOf = ({ group, plural }: Resource, namespace: string, name: string) =>
  `${group}/${plural}/${namespace}/${name}`;

function versionOf({ metadata }: JsonObject): Json | undefined {
  return isObject(metadata) ? metadata['resourceVersion'] : undefined;
}

async function readAll(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
