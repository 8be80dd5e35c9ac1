import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isObject, type JsonObject } from './strategic-merge.ts';

export interface Container {
  readonly id: string;
  name: string;
  running: boolean;
  /** As it was asked for, with the host name and the image's settings that the engine fills in. */
  readonly config: JsonObject;
  readonly hostConfig: JsonObject;
  readonly networks: Record<string, JsonObject>;
  readonly imageId: string;
  /** Volumes by where they are mounted. */
  readonly volumes: Readonly<Record<string, string>>;
  startedAt: string;
}

interface Image {
  readonly id: string;
  readonly config: JsonObject;
  readonly repoDigests: readonly string[];
}

interface Reply {
  readonly status: number;
  readonly body?: object;
  readonly text?: string;
}

/**
 * The part of a Docker Engine that holds containers and images, over a unix socket: names are unique, what is created gets
 * its image's settings, stopping what is stopped is 304, and a pull that fails says so in a line below a 200.
 */
export class DockerEngineStandIn {
  readonly calls: string[] = [];
  readonly containers = new Map<string, Container>();
  readonly images = new Map<string, Image>();
  /** Images that can be pulled, with their settings. */
  readonly registry = new Map<string, JsonObject>();
  /** The process of a container that starts; false: it ends at once. */
  onStart: (container: Container) => boolean | Promise<boolean> = () => true;
  onStop: (container: Container) => void | Promise<void> = () => undefined;
  /** False: nothing answers that call any more, as if whoever made it were gone. */
  onCall: (call: string) => boolean = () => true;
  /** The versions of the API that it serves, oldest and newest. */
  apiVersions: readonly [oldest: string, newest: string] = ['1.24', '1.47'];
  /** X-Registry-Auth of the pulls. */
  readonly registryAuth: (string | null)[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    server.on('request', (request, response) => void this.#serve(request, response));
  }

  static async start(socketPath: string): Promise<DockerEngineStandIn> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
    return new DockerEngineStandIn(server);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** `docker pull`, `docker run` and `docker network connect` before the test begins. */
  async run(
    name: string,
    image: string,
    body: JsonObject,
    networks: Record<string, JsonObject> = {},
  ): Promise<Container> {
    this.#pull(image);
    const { body: created } = this.#create(name, { ...body, Image: image });
    const container = this.byName(isObject(created) ? String(created['Id']) : '');
    for (const [network, endpoint] of Object.entries(networks)) {
      this.#connect(network, { Container: container.id, EndpointConfig: endpoint });
    }
    container.startedAt = new Date().toISOString();
    container.running = await this.onStart(container);
    return container;
  }

  byName(nameOrId: string): Container {
    return this.find(nameOrId) ?? fail(`there is no container ${nameOrId}`);
  }

  find(nameOrId: string): Container | undefined {
    return [...this.containers.values()].find(({ id, name }) => name === nameOrId || id.startsWith(nameOrId));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString('utf8');
    const url = new URL(request.url ?? '/', 'http://docker');
    if (!this.onCall(`${request.method} ${url.pathname}`)) return void request.socket.destroy();
    if (url.pathname.endsWith('/images/create')) {
      const auth = request.headers['x-registry-auth'];
      this.registryAuth.push(typeof auth === 'string' ? Buffer.from(auth, 'base64url').toString('utf8') : null);
    }
    const reply = await this.#answer(request.method ?? 'GET', url, text === '' ? {} : (JSON.parse(text) as JsonObject));
    response.setHeader('Api-Version', this.apiVersions[1]);
    response.writeHead(reply.status, { 'content-type': 'application/json' });
    response.end(reply.text ?? (reply.body === undefined ? '' : JSON.stringify(reply.body)));
  }

  async #answer(method: string, url: URL, body: JsonObject): Promise<Reply> {
    if (url.pathname === '/_ping') return { status: 200, text: 'OK' };
    const [prefix = '', version] = /^\/v(1\.\d+)(?=\/)/.exec(url.pathname) ?? [];
    const refusal = version === undefined ? null : this.#versionRefusal(version);
    if (refusal !== null) return { status: 400, body: { message: refusal } };
    const path = decodeURIComponent(url.pathname.slice(prefix.length));
    this.calls.push(`${method} ${path}${url.search}`);
    if (method === 'GET' && path.startsWith('/images/')) return this.#inspectImage(path.slice(8, -5));
    if (method === 'POST' && path === '/images/create') {
      const [repository = '', tag = ''] = [url.searchParams.get('fromImage') ?? '', url.searchParams.get('tag') ?? ''];
      return this.#pull(tag.startsWith('sha256:') ? `${repository}@${tag}` : `${repository}:${tag}`);
    }
    if (method === 'POST' && path === '/containers/create')
      return this.#create(url.searchParams.get('name') ?? '', body);
    const [, network] = /^\/networks\/([^/]+)\/connect$/.exec(path) ?? [];
    if (network !== undefined) return this.#connect(network, body);
    if (method === 'GET' && path === '/containers/json') return this.#list(url);
    const [, id = '', action = ''] = /^\/containers\/([^/]+)(?:\/(\w+))?$/.exec(path) ?? [];
    const container = this.find(id);
    if (id === '' || container === undefined) return { status: 404, body: { message: `No such container: ${id}` } };
    if (method === 'GET') return { status: 200, body: details(container) };
    if (method === 'DELETE') return this.#remove(container);
    return this.#act(container, action, url);
  }

  #versionRefusal(version: string): string | null {
    const [oldest, newest] = this.apiVersions;
    const minor = (text: string) => Number(text.split('.')[1]);
    if (minor(version) < minor(oldest))
      return `client version ${version} is too old. Minimum supported API version is ${oldest}, please upgrade your client to a newer version`;
    if (minor(version) > minor(newest))
      return `client version ${version} is too new. Maximum supported API version is ${newest}`;
    return null;
  }

  async #act(container: Container, action: string, url: URL): Promise<Reply> {
    if (action === 'rename') {
      const name = url.searchParams.get('name') ?? '';
      const holder = this.find(name);
      if (holder !== undefined) return inUse(name, holder);
      container.name = name;
      return { status: 204 };
    }
    const starts = action === 'start';
    if (container.running === starts) return { status: 304 };
    if (starts) {
      container.startedAt = new Date().toISOString();
      container.running = await this.onStart(container);
    } else {
      await this.onStop(container);
      container.running = false;
    }
    return { status: 204 };
  }

  #list(url: URL): Reply {
    const filters = JSON.parse(url.searchParams.get('filters') ?? '{}') as Readonly<Record<string, readonly string[]>>;
    const { label = [], name: patterns = [] } = filters;
    const listed = [...this.containers.values()].filter(({ config, name }) => {
      if (patterns.length > 0 && !patterns.some((each) => new RegExp(each).test(`/${name}`))) return false;
      const labels = Object.entries(isObject(config['Labels']) ? config['Labels'] : {}).map((pair) => pair.join('='));
      return label.every((each) => labels.includes(each));
    });
    return { status: 200, body: listed.map(({ id, name }) => ({ Id: id, Names: [`/${name}`] })) };
  }

  #create(name: string, body: JsonObject): Reply {
    const holder = this.find(name);
    if (holder !== undefined) return inUse(name, holder);
    const { HostConfig, NetworkingConfig, ...given } = body;
    const image = this.images.get(String(given['Image']));
    if (image === undefined) return { status: 404, body: { message: `No such image: ${String(given['Image'])}` } };
    const hostConfig = isObject(HostConfig) ? HostConfig : {};
    const endpoints = isObject(NetworkingConfig) ? NetworkingConfig['EndpointsConfig'] : {};
    const joined = Object.keys(isObject(endpoints) ? endpoints : {});
    if (joined.length > 1) {
      const message = `Container cannot be connected to network endpoints: ${joined.join(', ')}`;
      return { status: 400, body: { message } };
    }
    if (given['Hostname'] && String(hostConfig['NetworkMode']).startsWith('container:')) {
      const message = 'conflicting options: hostname and the network mode';
      return { status: 400, body: { message } };
    }
    const id = randomBytes(32).toString('hex');
    const networks: Record<string, JsonObject> = {};
    for (const [network, endpoint] of Object.entries(isObject(endpoints) ? endpoints : {})) {
      networks[network] = attached(isObject(endpoint) ? endpoint : {}, id);
    }
    if (Object.keys(networks).length === 0) networks['bridge'] = attached({}, id);
    const config = { Hostname: id.slice(0, 12), ...withDefaults(given, image.config) };
    this.containers.set(id, {
      ...{
        id,
        name,
        running: false,
        startedAt: '0001-01-01T00:00:00Z',
        imageId: image.id,
        networks,
        config,
        hostConfig,
      },
      volumes: volumesOf(config, hostConfig),
    });
    return { status: 201, body: { Id: id, Warnings: [] } };
  }

  #pull(image: string): Reply {
    const config = this.registry.get(image);
    const first = { status: `Pulling from ${image.replace(/[:@].*$/, '')}`, id: image.replace(/^[^:@]*[:@]/, '') };
    if (config === undefined) {
      const message = `manifest for ${image} not found: manifest unknown: manifest unknown`;
      return {
        status: 200,
        text: `${JSON.stringify(first)}\r\n${JSON.stringify({ errorDetail: { message }, error: message })}\r\n`,
      };
    }
    this.images.set(image, {
      id: `sha256:${randomBytes(32).toString('hex')}`,
      config,
      repoDigests: image.includes('@') ? [image] : [],
    });
    return {
      status: 200,
      text: `${JSON.stringify(first)}\r\n${JSON.stringify({ status: `Status: Downloaded newer image for ${image}` })}\r\n`,
    };
  }

  #inspectImage(name: string): Reply {
    const image = this.images.get(name) ?? [...this.images.values()].find(({ id }) => id === name);
    if (image === undefined) return { status: 404, body: { message: `No such image: ${name}` } };
    return {
      status: 200,
      body: { Id: image.id, RepoTags: [name], RepoDigests: image.repoDigests, Config: image.config },
    };
  }

  #connect(network: string, body: JsonObject): Reply {
    const container = this.find(String(body['Container']));
    if (container === undefined)
      return { status: 404, body: { message: `No such container: ${String(body['Container'])}` } };
    const { EndpointConfig } = body;
    container.networks[network] = attached(isObject(EndpointConfig) ? EndpointConfig : {}, container.id);
    return { status: 200 };
  }

  async #remove(container: Container): Promise<Reply> {
    if (container.running) await this.onStop(container);
    this.containers.delete(container.id);
    return { status: 204 };
  }
}

function details(container: Container): object {
  const { id, name, running, startedAt, config, hostConfig, networks, imageId, volumes } = container;
  return {
    ...{ Id: id, Name: `/${name}`, Image: imageId, Config: config, HostConfig: hostConfig },
    State: { Status: running ? 'running' : 'exited', Running: running, Restarting: false, StartedAt: startedAt },
    NetworkSettings: { Networks: networks },
    Mounts: Object.entries(volumes).map(([Destination, Name]) => ({
      ...{ Type: 'volume', Name, Destination, Driver: 'local', RW: true },
      Source: `/var/lib/docker/volumes/${Name}/_data`,
    })),
  };
}

/** Those of the settings; each path that the configuration or the image names without a volume gets a new one. */
function volumesOf(config: JsonObject, hostConfig: JsonObject): Record<string, string> {
  const binds = Array.isArray(hostConfig['Binds']) ? hostConfig['Binds'].map(String) : [];
  const mounts = Array.isArray(hostConfig['Mounts']) ? hostConfig['Mounts'].filter(isObject) : [];
  const fresh = () => randomBytes(32).toString('hex');
  return {
    ...Object.fromEntries(
      Object.keys(isObject(config['Volumes']) ? config['Volumes'] : {}).map((path) => [path, fresh()]),
    ),
    ...Object.fromEntries(mounts.map((mount) => [String(mount['Target']), String(mount['Source'] ?? fresh())])),
    ...Object.fromEntries(
      binds.filter((bind) => !bind.startsWith('/')).map((bind) => [bind.split(':')[1] ?? '', bind.split(':')[0] ?? '']),
    ),
  };
}

/** Settings that nobody gave come from the image; variables and labels of both. */
function withDefaults(given: JsonObject, image: JsonObject): JsonObject {
  const list = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);
  const own = list(given['Env']);
  const nameOf = (variable: string) => variable.split('=')[0];
  const inherited = list(image['Env']).filter((each) => !own.some((mine) => nameOf(mine) === nameOf(each)));
  const both = (key: string) => Object.assign({}, ...[image[key], given[key]].filter(isObject)) as JsonObject;
  // Whoever gives a start command does without the image's arguments.
  const hasOwnStart = list(given['Entrypoint']).length > 0;
  const command = list(given['Cmd']).length > 0 ? list(given['Cmd']) : hasOwnStart ? null : (image['Cmd'] ?? null);
  const start = hasOwnStart ? list(given['Entrypoint']).filter((part) => part !== '') : (image['Entrypoint'] ?? null);
  return {
    ...{ ...image, ...given, Env: [...own, ...inherited], Labels: both('Labels'), Volumes: both('Volumes') },
    ...{ Cmd: command, Entrypoint: start },
  };
}

const attached = (endpoint: JsonObject, id: string): JsonObject => ({
  MacAddress: '02:42:ac:11:00:02',
  ...endpoint,
  Aliases: [...(Array.isArray(endpoint['Aliases']) ? endpoint['Aliases'] : []), id.slice(0, 12)],
  IPAddress: '172.17.0.2',
});

function inUse(name: string, { id }: Container): Reply {
  const message = `Conflict. The container name "/${name}" is already in use by container "${id}". You have to remove (or rename) that container to be able to reuse that name.`;
  return { status: 409, body: { message } };
}

function fail(message: string): never {
  throw new Error(message);
}
