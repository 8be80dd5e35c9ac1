// The part of a Kubernetes API server that a client-side dry run asks: which kinds there are. It holds no object.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

const kinds: Readonly<Record<string, readonly [kind: string, plural: string, namespaced: boolean][]>> = {
  v1: [
    ['ConfigMap', 'configmaps', true],
    ['Namespace', 'namespaces', false],
    ['Secret', 'secrets', true],
    ['Service', 'services', true],
    ['ServiceAccount', 'serviceaccounts', true],
  ],
  'apps/v1': [
    ['Deployment', 'deployments', true],
    ['StatefulSet', 'statefulsets', true],
  ],
  'autoscaling/v1': [['HorizontalPodAutoscaler', 'horizontalpodautoscalers', true]],
  'batch/v1': [['CronJob', 'cronjobs', true]],
  'cert-manager.io/v1': [['Certificate', 'certificates', true]],
  'rbac.authorization.k8s.io/v1': [
    ['ClusterRoleBinding', 'clusterrolebindings', false],
    ['Role', 'roles', true],
    ['RoleBinding', 'rolebindings', true],
  ],
};

export class DiscoveryServer {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<DiscoveryServer> {
    const server = createServer(({ url = '/' }, response) => {
      const body = answer(url.replace(/\?.*$/, ''));
      response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify(body ?? { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'NotFound', code: 404 }),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new DiscoveryServer(server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function answer(path: string): object | undefined {
  if (path === '/api') return { kind: 'APIVersions', versions: ['v1'] };
  if (path === '/apis') return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups() };
  const version = /^\/apis?\/(.+)$/.exec(path)?.[1] ?? '';
  const resources = kinds[version]?.map(([kind, name, namespaced]) => ({
    ...{ kind, name, namespaced, singularName: kind.toLowerCase() },
    verbs: ['create', 'get', 'list', 'patch', 'update'],
  }));
  return resources && { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: version, resources };
}

function groups(): object[] {
  return Object.keys(kinds)
    .filter((groupVersion) => groupVersion.includes('/'))
    .map((groupVersion) => {
      const [name, version] = groupVersion.split('/');
      return { name, versions: [{ groupVersion, version }], preferredVersion: { groupVersion, version } };
    });
}
