import type { ContainerDetails, ImageDetails } from './engine.ts';

/** A request to create a container, and the networks that it joins after that. */
export interface Replacement {
  readonly body: Readonly<Record<string, unknown>>;
  /** An engine joins one network at creation. */
  readonly otherNetworks: readonly (readonly [name: string, endpoint: Readonly<Record<string, unknown>>])[];
}

/** Settings that a container has from its image unless somebody set them. */
const FROM_THE_IMAGE = ['Cmd', 'Entrypoint', 'WorkingDir', 'User', 'Healthcheck', 'StopSignal', 'Shell', 'OnBuild'];

/**
 * The same container of another image. What the old one had from its image and nobody set (variables, command, labels) it
 * gets from the new one: kept, the old version's start command would run in the new version's files.
 */
export function replacementOf(container: ContainerDetails, oldImage: ImageDetails | null, image: string): Replacement {
  const { Config, HostConfig, NetworkSettings } = container;
  const [first, ...otherNetworks] = Object.entries(NetworkSettings.Networks ?? {}).map(
    ([name, endpoint]) => [name, endpointOf(endpoint, container.Id)] as const,
  );
  return {
    body: {
      ...ownConfig(Config, oldImage?.Config ?? {}, container.Id),
      Image: image,
      HostConfig,
      ...(first !== undefined && { NetworkingConfig: { EndpointsConfig: { [first[0]]: first[1] } } }),
    },
    otherNetworks,
  };
}

function ownConfig(
  config: Readonly<Record<string, unknown>>,
  ofImage: Readonly<Record<string, unknown>>,
  id: string,
): Record<string, unknown> {
  const own: Record<string, unknown> = { ...config };
  for (const key of FROM_THE_IMAGE) if (isSame(own[key], ofImage[key])) delete own[key];
  own['Env'] = listOf(config['Env']).filter((variable) => !listOf(ofImage['Env']).includes(variable));
  for (const key of ['Labels', 'Volumes', 'ExposedPorts']) {
    const inherited = recordOf(ofImage[key]);
    const entries = Object.entries(recordOf(config[key]));
    own[key] = Object.fromEntries(entries.filter(([name, value]) => !isSame(inherited[name], value)));
  }
  // A host name that nobody chose is the old container's id.
  if (typeof own['Hostname'] === 'string' && id.startsWith(own['Hostname'])) delete own['Hostname'];
  return own;
}

/** What was asked for, without what the engine gave it: addresses, and its id as an alias. */
function endpointOf(endpoint: Readonly<Record<string, unknown>>, id: string): Record<string, unknown> {
  const { IPAMConfig, Links, DriverOpts } = endpoint;
  const Aliases = listOf(endpoint['Aliases']).filter((alias) => !id.startsWith(alias));
  return { IPAMConfig, Links, DriverOpts, Aliases };
}

const listOf = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];

const recordOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};

const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
