import type { YamlCursor } from '../edit/yaml-cursor.ts';
import type { CertificatePod } from './certificate-volume.ts';

/**
 * The mode for the certificate's files. With fsGroup the group reads them (0440), as root alone the owner (0400);
 * for a user that is not root, without fsGroup, nothing narrower than Kubernetes' own 0644 can be read.
 */
export function fileMode({ podSpec, container }: CertificatePod): number | undefined {
  const user = container.at('securityContext', 'runAsUser')?.text ?? podSpec.at('securityContext', 'runAsUser')?.text;
  if (podSpec.at('securityContext', 'fsGroup')?.text !== undefined) return 0o440;
  return user === '0' ? 0o400 : undefined;
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
