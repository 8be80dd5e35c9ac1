import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { ConfigError, readMasterKey, type Secrets } from './config.ts';

/**
 * The 32 bytes that delegate tokens are encrypted under. Generated into the key file (mode 0600) only when `generate`
 * allows it and there is none; an existing file is never replaced. Throws ConfigError naming the file; never shows a key.
 */
export function loadMasterKey(secrets: Secrets, generate: boolean): Buffer {
  if (secrets.masterKey !== null) return secrets.masterKey;
  const file = secrets.masterKeyFile;
  if (file === null) throw new ConfigError(['SALLYPORT_MASTER_KEY or SALLYPORT_MASTER_KEY_FILE is needed']);
  if (generate) writeNewKey(file);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError([
      `SALLYPORT_MASTER_KEY_FILE: cannot read ${file} (${(error as NodeJS.ErrnoException).code})`,
    ]);
  }
  const key = readMasterKey(text);
  if (typeof key === 'string') throw new ConfigError([`SALLYPORT_MASTER_KEY_FILE: ${file} ${key}`]);
  return key;
}

/** Writes aside and links into place: a crash half-way leaves no truncated key, and a key that is there stays. */
function writeNewKey(file: string): void {
  const aside = `${file}.${process.pid}.new`;
  writeFileSync(aside, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600, flush: true });
  try {
    linkSync(aside, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(aside);
  }
}
