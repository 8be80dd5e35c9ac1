import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ConfigError } from './config.ts';

/** PEM text of the CAs that receivers' certificates may come from besides the public ones. Throws ConfigError naming the file. */
export function loadWebhookCa(file: string | null): string | null {
  if (file === null) return null;
  try {
    const text = readFileSync(file, 'utf8');
    new X509Certificate(text);
    return text;
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'not a PEM certificate';
    throw new ConfigError([`SALLYPORT_WEBHOOK_CA_FILE: cannot use ${file} (${reason})`]);
  }
}
