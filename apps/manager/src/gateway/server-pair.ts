import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import type { Logger } from 'pino';
import type { TlsFiles } from '../config/config.ts';
import type { ServerPair } from './endpoint-contexts.ts';

/** Checked by modification time: works across symlink swaps and network file systems, where file events do not. */
const CHECK_EVERY_MS = 2_000;

/** Reads certificate (chain) and key, and checks that they belong together. Throws naming the file; never shows the key. */
export function readServerPair(files: TlsFiles): ServerPair {
  const certificate = read(files.certificateFile);
  const key = read(files.keyFile);
  let leaf: X509Certificate;
  try {
    leaf = new X509Certificate(certificate);
  } catch (cause) {
    throw new Error(`${files.certificateFile} holds no PEM certificate`, { cause });
  }
  let matches: boolean;
  try {
    matches = leaf.checkPrivateKey(createPrivateKey(key));
  } catch {
    // The parser's error is dropped: it may quote the file.
    throw new Error(`${files.keyFile} holds no private key that can be read (PEM, without a passphrase)`);
  }
  if (!matches)
    throw new Error(`the key in ${files.keyFile} does not belong to the certificate in ${files.certificateFile}`);
  return { certificate, key };
}

/** Calls `onChange` with each new, valid pair; a pair that does not fit is logged and the last good one stays. */
export function watchServerPair(files: TlsFiles, logger: Logger, onChange: (pair: ServerPair) => void): () => void {
  let current = readServerPair(files);
  const check = () => {
    try {
      const pair = readServerPair(files);
      if (pair.certificate === current.certificate && pair.key === current.key) return;
      current = pair;
      onChange(pair);
      logger.info({ certificateFile: files.certificateFile }, 'server certificate replaced; new connections use it');
    } catch (error) {
      logger.error({ err: error }, 'the new server certificate is not usable; the last good one stays in use');
    }
  };
  const paths = [files.certificateFile, files.keyFile];
  for (const path of paths) watchFile(path, { interval: CHECK_EVERY_MS, persistent: false }, check);
  return () => {
    for (const path of paths) unwatchFile(path, check);
  };
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new Error(`cannot read ${path}: ${(cause as NodeJS.ErrnoException).code ?? 'unknown error'}`, { cause });
  }
}
