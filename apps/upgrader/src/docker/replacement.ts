import { ADDRESS_OF_NETWORK, type ApiVersion } from './api-version.ts';
import type { ContainerDetails, ImageDetails } from './engine.ts';

type Values = Readonly<Record<string, unknown>>;

/** A request to create a container, and the networks that it joins after that. */
export interface Replacement {
  readonly body: Values;
  /** An engine joins one network at creation. */
  readonly otherNetworks: readonly (readonly [name: string, endpoint: Values])[];
}

/** Settings that a container has from its image unless somebody set them. */
const FROM_THE_IMAGE = ['WorkingDir', 'User', 'Healthcheck', 'StopSignal', 'Shell', 'OnBuild'];

/**
 * The same container of another image, with the same volumes, anonymous ones too. What the old one had from its image and
 * nobody set (variables, command, labels) it gets from the new one: kept, the old version's start command would run in the
 * new version's files.
 */
export function replacementOf(
  container: ContainerDetails,
  oldImage: ImageDetails | null,
  image: string,
  api: ApiVersion,
): Replacement {
  const { Config, HostConfig } = container;
  // Of the container's own network it is here when somebody asked for it. What a network shows is the address in use.
  const { MacAddress, ...config } = Config;
  const isOfNetwork = api >= ADDRESS_OF_NETWORK;
  const asked = typeof MacAddress === 'string' && MacAddress !== '' ? { MacAddress } : {};
  const [first, ...otherNetworks] = networksOf(container, isOfNetwork ? asked : {});
  return {
    body: {
      ...ownConfig(isOfNetwork ? config : { ...config, ...asked }, oldImage?.Config ?? {}, container),
      Image: image,
      HostConfig: { ...HostConfig, ...volumesOf(container) },
      ...(first !== undefined && { NetworkingConfig: { EndpointsConfig: { [first[0]]: first[1] } } }),
    },
    otherNetworks,
  };
}

function ownConfig(config: Values, ofImage: Values, { Id, HostConfig }: ContainerDetails): Values {
  const own: Record<string, unknown> = { ...config, ...commandOf(config, ofImage) };
  for (const key of FROM_THE_IMAGE) if (isSame(own[key], ofImage[key])) delete own[key];
  own['Env'] = listOf(config['Env']).filter((variable) => !listOf(ofImage['Env']).includes(variable));
  for (const key of ['Labels', 'Volumes', 'ExposedPorts']) {
    const inherited = recordOf(ofImage[key]);
    const entries = Object.entries(recordOf(config[key]));
    own[key] = Object.fromEntries(entries.filter(([name, value]) => !isSame(inherited[name], value)));
  }
  const { NetworkMode, UTSMode } = HostConfig;
  const sharesNetwork = typeof NetworkMode === 'string' && NetworkMode.startsWith('container:');
  // A host name that nobody chose is the old container's id; one that is shared is the other's, and refused at creation.
  const isGiven = typeof own['Hostname'] === 'string' && own['Hostname'] !== '' && !Id.startsWith(own['Hostname']);
  if (!isGiven || sharesNetwork || UTSMode === 'host') delete own['Hostname'];
  if (sharesNetwork || UTSMode === 'host') delete own['Domainname'];
  if (sharesNetwork) for (const key of ['ExposedPorts', 'MacAddress']) delete own[key];
  return own;
}

/**
 * Start command and arguments, as far as they are the container's own. Whoever gives a start command takes the image's
 * arguments away with it, so that arguments without their command mean something else: both are kept, or none.
 */
function commandOf(config: Values, ofImage: Values): Values {
  const [entrypoint, command] = [listOf(config['Entrypoint']), listOf(config['Cmd'])];
  const ownEntrypoint = !isSame(entrypoint, listOf(ofImage['Entrypoint']));
  const ownCommand = !isSame(command, listOf(ofImage['Cmd']));
  if (!ownEntrypoint && !(ownCommand && command.length === 0)) {
    return { Entrypoint: undefined, Cmd: ownCommand ? command : undefined };
  }
  // None at all is written as one empty text; an empty list would be filled from the image.
  return { Entrypoint: entrypoint.length === 0 ? [''] : entrypoint, Cmd: command };
}

/**
 * Mounts by the names of their volumes. A volume that nobody named belongs to the path and not to a setting: a container
 * that is created with the old settings gets a new, empty one there.
 */
function volumesOf({ HostConfig, Mounts }: ContainerDetails): Values {
  const volumes = new Map(
    (Mounts ?? []).flatMap((mount) =>
      mount.Type === 'volume' && mount.Name ? [[mount.Destination, { ...mount, Name: mount.Name }] as const] : [],
    ),
  );
  const binds = listOf(HostConfig['Binds']);
  const mounts = Array.isArray(HostConfig['Mounts']) ? HostConfig['Mounts'].map(recordOf) : [];
  for (const bind of binds) volumes.delete(trimmed(bind.split(':')[1] ?? ''));
  const named = mounts.map((mount) => {
    const volume = volumes.get(trimmed(String(mount['Target'])));
    if (volume === undefined) return mount;
    volumes.delete(volume.Destination);
    return mount['Source'] ? mount : { ...mount, Source: volume.Name };
  });
  const more = [...volumes.values()].map(
    ({ Name, Destination, RW }) => `${Name}:${Destination}${RW === false ? ':ro' : ''}`,
  );
  return {
    ...((binds.length > 0 || more.length > 0) && { Binds: [...binds, ...more] }),
    ...(named.length > 0 && { Mounts: named }),
  };
}

/** The one that the container's own setting names comes first: the engine joins that one at creation. */
function networksOf({ Id, HostConfig, NetworkSettings }: ContainerDetails, ofMain: Values): [string, Values][] {
  const mode = String(HostConfig['NetworkMode'] ?? 'default');
  // These have no endpoint that could be set.
  if (mode === 'host' || mode === 'none' || mode.startsWith('container:')) return [];
  const main = mode === 'default' ? 'bridge' : mode;
  const isMain = ([name, { NetworkID }]: readonly [string, Values]) => name === main || NetworkID === main;
  return Object.entries(NetworkSettings.Networks ?? {})
    .toSorted((a, b) => Number(isMain(b)) - Number(isMain(a)))
    .map((entry) => [entry[0], { ...endpointOf(entry[1], Id), ...(isMain(entry) && ofMain) }]);
}

/** What was asked for, without what the engine gave it: addresses, and its id as an alias. */
function endpointOf(endpoint: Values, id: string): Values {
  const { IPAMConfig, Links, DriverOpts, GwPriority } = endpoint;
  const Aliases = listOf(endpoint['Aliases']).filter((alias) => !id.startsWith(alias));
  return { IPAMConfig, Links, DriverOpts, GwPriority, Aliases };
}

const trimmed = (path: string): string => path.replace(/(?<=.)\/+$/, '');

const listOf = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];

const recordOf = (value: unknown): Values => (typeof value === 'object' && value !== null ? (value as Values) : {});

const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
