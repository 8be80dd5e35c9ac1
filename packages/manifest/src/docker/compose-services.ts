import { containerPath } from '../container-path.ts';
import { areDelegateVariables } from '../delegate-variables.ts';
import type { YamlCursor } from '../edit/yaml-cursor.ts';
import { imageBaseName } from '../image-tag.ts';

/** A service of a compose file that runs a delegate or its upgrader. */
export interface ComposeService {
  readonly name: string;
  readonly service: YamlCursor;
  readonly image: YamlCursor | undefined;
  readonly role: 'delegate' | 'upgrader';
}

/** A variable of a service: `NAME: value` in a map, or `NAME=value` in a list. */
export interface ServiceVariable {
  readonly name: string;
  /** Undefined for `NAME` alone, which passes the host's own on. */
  readonly value: string | undefined;
  /** The value in a map, the whole item in a list. */
  readonly cursor: YamlCursor;
  readonly inList: boolean;
}

/** A mount of a service, of whatever syntax. */
export interface ServiceMount {
  readonly source: string | undefined;
  /** As the container runtime resolves it. */
  readonly target: string;
  readonly cursor: YamlCursor;
}

export function servicesOf(root: YamlCursor): ComposeService[] {
  return (root.get('services')?.entries() ?? []).flatMap((service) => {
    const name = service.link.kind === 'pair' ? service.link.key : '';
    const image = service.get('image');
    const role = roleOf(imageBaseName(image?.text ?? ''), new Set(serviceVariables(service).map((each) => each.name)));
    return role && service.map ? [{ name, service, image, role }] : [];
  });
}

export function serviceVariables(service: YamlCursor): ServiceVariable[] {
  const environment = service.get('environment');
  if (environment?.map) {
    return environment.keys().flatMap((name) => {
      const cursor = environment.get(name);
      return cursor ? [{ name, value: cursor.text, cursor, inList: false }] : [];
    });
  }
  return (environment?.items() ?? []).map((cursor) => {
    const text = cursor.text ?? '';
    const equals = text.indexOf('=');
    if (equals === -1) return { name: text, value: undefined, cursor, inList: true };
    return { name: text.slice(0, equals), value: text.slice(equals + 1), cursor, inList: true };
  });
}

export function serviceMounts(service: YamlCursor): ServiceMount[] {
  const volumes = (service.get('volumes')?.items() ?? []).flatMap((cursor): ServiceMount[] => {
    if (cursor.map) {
      const target = cursor.get('target')?.text;
      return target === undefined
        ? []
        : [{ source: cursor.get('source')?.text, target: containerPath(target), cursor }];
    }
    const [, source, target] = /^((?:[A-Za-z]:[\\/])?[^:]*):([^:]+)/.exec(cursor.text ?? '') ?? [];
    return target === undefined ? [] : [{ source, target: containerPath(target), cursor }];
  });
  const secrets = (service.get('secrets')?.items() ?? []).flatMap((cursor) => {
    const target = cursor.get('target')?.text;
    return target === undefined
      ? []
      : [{ source: undefined, target: target.startsWith('/') ? containerPath(target) : target, cursor }];
  });
  return [...volumes, ...secrets];
}

/** The files of `env_file`, in all three of its forms. */
export function serviceEnvFiles(service: YamlCursor): { readonly path: string; readonly cursor: YamlCursor }[] {
  const field = service.get('env_file');
  return [...(field?.seq ? field.items() : field ? [field] : [])].flatMap((cursor) => {
    const path = cursor.map ? cursor.get('path')?.text : cursor.text;
    return path === undefined ? [] : [{ path, cursor }];
  });
}

/** Whether compose would put something in: `$NAME`, `${NAME:-default}`. `$$` is a dollar sign. */
export function interpolates(value: string): boolean {
  return /\$(?:[A-Za-z_{])/.test(value.replaceAll('$$', ''));
}

function roleOf(image: string, variables: ReadonlySet<string>): 'delegate' | 'upgrader' | undefined {
  if (image === 'upgrader' || variables.has('UPGRADER_TOKEN')) return 'upgrader';
  return /(?:^|-)delegate(?:-|$)/.test(image) || areDelegateVariables(variables) ? 'delegate' : undefined;
}
