import { readFileSync } from 'node:fs';
import type { ImageReference } from '@sallyport/protocol';
import { Type } from 'typebox';
import { Check } from 'typebox/schema';
import { EXIT, UpgradeError } from '../config/exit-codes.ts';

const Text = Type.Optional(Type.String());
const Entry = Type.Object({ auth: Text, identitytoken: Text, username: Text, password: Text });
const DockerConfig = Type.Object({
  auths: Type.Optional(Type.Record(Type.String(), Entry)),
  credsStore: Text,
  credHelpers: Type.Optional(Type.Record(Type.String(), Type.String())),
});

/** Docker Hub is called by an older name in these files. */
const DOCKER_HUB = 'index.docker.io';
const HUB_ADDRESS = 'https://index.docker.io/v1/';

/** Where the credentials of registries are. */
export interface DockerConfigFile {
  readonly path: string;
  /** False: somebody named it, and it has to be there. */
  readonly mayBeMissing: boolean;
}

/**
 * What the Docker Engine signs in to the image's registry with, as the header X-Registry-Auth takes it; null when the
 * file has nothing for that registry. Read at each pull, as `docker login` changes it. Throws UpgradeError, without a word
 * of what is in the file.
 */
export function registryCredentials(
  file: DockerConfigFile,
  { registry }: Pick<ImageReference, 'registry'>,
): string | null {
  const config = readDockerConfig(file);
  if (config === null) return null;
  const host = hostOf(registry ?? DOCKER_HUB);
  const named = Object.entries(config.auths ?? {}).find(([address]) => hostOf(address) === host)?.[1];
  const helper = Object.entries(config.credHelpers ?? {}).find(([address]) => hostOf(address) === host)?.[1];
  const serveraddress = host === DOCKER_HUB ? HUB_ADDRESS : host;
  if (helper === undefined && named?.identitytoken) {
    return header({ identitytoken: named.identitytoken, serveraddress });
  }
  const [username, password] = named === undefined ? [] : userOf(named);
  if (helper === undefined && username && password) return header({ username, password, serveraddress });
  const program = helper ?? (named === undefined ? undefined : config.credsStore);
  if (program) {
    throw new UpgradeError(
      EXIT.configuration,
      `${file.path} leaves the credentials of ${host} to a helper (docker-credential-${program}), which is not run here.`,
      `Name a file whose auths have "${host}" with its auth in UPGRADER_DOCKER_CONFIG.`,
    );
  }
  if (named === undefined) return null;
  throw unusable(file.path, `its entry for ${host} has neither auth nor identitytoken`);
}

function readDockerConfig({ path, mayBeMissing }: DockerConfigFile) {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    if (mayBeMissing && (code === 'ENOENT' || code === 'ENOTDIR')) return null;
    throw unusable(path, `it cannot be read (${code})`, error);
  }
  try {
    const config: unknown = JSON.parse(text);
    if (Check(DockerConfig, config)) return config;
  } catch (error) {
    // The parser quotes what it read: that may be a password.
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw unusable(path, 'it is not the config.json of Docker');
}

/** `auth` is the base64 text of `user:password`; a password may have colons. */
function userOf({ auth, username, password }: { auth?: string; username?: string; password?: string }) {
  if (!auth) return [username, password] as const;
  const text = Buffer.from(auth, 'base64').toString('utf8').replace(/\0+$/, '');
  const colon = text.indexOf(':');
  return colon === -1 ? [] : ([text.slice(0, colon), text.slice(colon + 1)] as const);
}

/** An address of these files is a host, or a URL with a path below it. */
function hostOf(address: string): string {
  const host =
    address
      .replace(/^https?:\/\//, '')
      .split('/')[0]
      ?.toLowerCase() ?? '';
  return host === 'docker.io' || host === 'registry-1.docker.io' ? DOCKER_HUB : host;
}

/** Base64 of the URL alphabet, with its padding: the engine takes no other. */
function header(credentials: Readonly<Record<string, string>>): string {
  const text = Buffer.from(JSON.stringify(credentials)).toString('base64');
  return text.replaceAll('+', '-').replaceAll('/', '_');
}

function unusable(path: string, why: string, cause?: unknown): UpgradeError {
  return new UpgradeError(
    EXIT.configuration,
    `${path} cannot be used: ${why}.`,
    'Name the config.json that docker login wrote in UPGRADER_DOCKER_CONFIG.',
    cause,
  );
}
