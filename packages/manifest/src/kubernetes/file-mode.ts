import type { YamlCursor } from '../edit/yaml-cursor.ts';
import type { CertificatePod } from './certificate-volume.ts';

/** Who reads the files of a pod's Secret volumes. They belong to root:root, or to root and the group of fsGroup. */
export type Reader =
  | { readonly as: 'root' }
  | { readonly as: 'group' }
  /** A user that is not root, in no group that the files have: `who` is how the manifest says so. */
  | { readonly as: 'stranger'; readonly who: string; readonly fsGroup: string }
  /** The image decides. */
  | { readonly as: 'unknown' };

export function readerOf({ podSpec, container }: CertificatePod): Reader {
  const [pod, own] = [podSpec.get('securityContext'), container.get('securityContext')];
  const said = (field: string) => own?.get(field)?.text ?? pod?.get(field)?.text;
  if (pod?.get('fsGroup')?.text !== undefined) return { as: 'group' };
  const [user, group] = [said('runAsUser'), said('runAsGroup')];
  if (user === '0') return { as: 'root' };
  if (group === '0') return { as: 'group' };
  if (user !== undefined) return { as: 'stranger', who: `runAsUser ${user}`, fsGroup: group ?? user };
  if (said('runAsNonRoot') === 'true') return { as: 'stranger', who: 'runAsNonRoot', fsGroup: group ?? '1001' };
  return group === undefined ? { as: 'unknown' } : { as: 'stranger', who: `runAsGroup ${group}`, fsGroup: group };
}

/**
 * The narrowest mode that the pod can read: the owner's (0400) for root, the group's (0440) with fsGroup. Where the image
 * decides, 0440 too: images that do not run as root run in the group root as a rule. Undefined for everybody else, who
 * reads the files with Kubernetes' own 0644 only.
 */
export function fileMode(pod: CertificatePod): number | undefined {
  const { as } = readerOf(pod);
  return as === 'stranger' ? undefined : as === 'root' ? 0o400 : 0o440;
}

export function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

/** What Kubernetes reads: its YAML takes a leading 0 for octal (0400 is 256), anything else for decimal. */
export function readMode(mode: YamlCursor): number | undefined {
  const text = mode.text ?? '';
  if (/^0o?[0-7]+$/.test(text)) return Number.parseInt(text.replace(/^0o?/, '') || '0', 8);
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

const octalLooks = new Set(['400', '440', '444', '600', '640', '644', '700', '750', '755', '770', '777']);

/** What is wrong with a mode: `400` is decimal and means 0620, a string is refused. Undefined for a mode that does what it says. */
export function modeFault(mode: YamlCursor): string | undefined {
  const text = mode.text ?? '';
  const value = readMode(mode);
  if (typeof mode.json === 'string' || value === undefined)
    return `defaultMode ${JSON.stringify(mode.json)} is not a number`;
  if (value > 0o777) return `defaultMode ${text} is above 0777 (decimal 511)`;
  if (octalLooks.has(text)) return `defaultMode ${text} is decimal, which is octal ${octal(value)}`;
  return undefined;
}
