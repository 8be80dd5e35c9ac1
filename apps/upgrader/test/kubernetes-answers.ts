// The bodies of a real API server's answers: failures, and which kinds there are.

export interface Resource {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly shortName: string;
}

export const RESOURCES: readonly Resource[] = [
  { group: 'apps', version: 'v1', plural: 'deployments', kind: 'Deployment', shortName: 'deploy' },
  { group: 'batch', version: 'v1', plural: 'cronjobs', kind: 'CronJob', shortName: 'cj' },
];

export interface Answer {
  readonly status: number;
  readonly body: object;
}

function failure(code: number, reason: string, message: string, details?: object): Answer {
  const body = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason };
  return { status: code, body: { ...body, ...(details !== undefined && { details }), code } };
}

export const unauthorized = (): Answer => failure(401, 'Unauthorized', 'Unauthorized');

export function forbidden(
  user: string,
  verb: string,
  { group, plural }: Resource,
  namespace: string,
  name: string,
): Answer {
  const what = name === '' ? `${plural}.${group} is forbidden` : `${plural}.${group} "${name}" is forbidden`;
  const cannot = `User "${user}" cannot ${verb} resource "${plural}" in API group "${group}" in the namespace "${namespace}"`;
  return failure(403, 'Forbidden', `${what}: ${cannot}`, { ...(name !== '' && { name }), group, kind: plural });
}

export function notFound({ group, plural }: Resource, name: string): Answer {
  return failure(404, 'NotFound', `${plural}.${group} "${name}" not found`, { name, group, kind: plural });
}

export function conflict({ group, plural }: Resource, name: string): Answer {
  const why = 'the object has been modified; please apply your changes to the latest version and try again';
  const message = `Operation cannot be fulfilled on ${plural}.${group} "${name}": ${why}`;
  return failure(409, 'Conflict', message, { name, group, kind: plural });
}

export function unsupportedMediaType(): Answer {
  const types = ['json-patch+json', 'merge-patch+json', 'strategic-merge-patch+json', 'apply-patch+yaml'];
  const accepted = types.map((type) => `application/${type}`).join(', ');
  const message = `the body of the request was in an unknown format - accepted media types include: ${accepted}`;
  return failure(415, 'UnsupportedMediaType', message);
}

export const unknownPath = (): Answer =>
  failure(404, 'NotFound', 'the server could not find the requested resource', {});

/** What clients ask before anything else; null for a path that is about something else. */
export function discovery(path: string): Answer | null {
  if (path === '/version') return { status: 200, body: { major: '1', minor: '32', gitVersion: 'v1.32.0' } };
  if (path === '/api') return { status: 200, body: { kind: 'APIVersions', versions: ['v1'] } };
  if (path === '/api/v1') return resourceList('v1', []);
  if (path === '/apis') {
    const groups = RESOURCES.map(({ group, version }) => {
      const preferredVersion = { groupVersion: `${group}/${version}`, version };
      return { name: group, versions: [preferredVersion], preferredVersion };
    });
    return { status: 200, body: { kind: 'APIGroupList', apiVersion: 'v1', groups } };
  }
  const [, groupVersion] = /^\/apis\/([^/]+\/[^/]+)$/.exec(path) ?? [];
  const resources = RESOURCES.filter(({ group, version }) => `${group}/${version}` === groupVersion);
  return groupVersion === undefined || resources.length === 0 ? null : resourceList(groupVersion, resources);
}

function resourceList(groupVersion: string, resources: readonly Resource[]): Answer {
  const verbs = ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'];
  const entries = resources.map(({ plural, kind, shortName }) => ({
    ...{ name: plural, singularName: kind.toLowerCase(), namespaced: true, kind, verbs, shortNames: [shortName] },
  }));
  return { status: 200, body: { kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources: entries } };
}
