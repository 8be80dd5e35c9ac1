import { X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createAuthority, issueServerCertificate } from '@sallyport/trust';
import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import type { ServerPair } from './endpoint-contexts.ts';
import { readServerPair, watchServerPair } from './server-pair.ts';

export interface ServerCertificates {
  readonly pair: ServerPair;
  /** A CA certificate whose private key was dropped when it was made. */
  readonly nobodysCa: string;
  /** PEM file of the CA behind a development certificate; null when the operator's own files are in use. */
  readonly developmentCaFile: string | null;
  /** Calls back with each new pair; returns what ends the watch. */
  watch(onChange: (pair: ServerPair) => void): () => void;
}

const DAY_MS = 86_400_000;
const CA_DAYS = 3_650;
const SERVER_DAYS = 365;
const RENEW_BELOW_DAYS = 30;

/** The operator's files, or on loopback a development CA of our own. Throws naming the file that cannot be used. */
export async function loadServerCertificates(config: Config, logger: Logger, now: Date): Promise<ServerCertificates> {
  const nobody = await createAuthority({
    subject: { commonName: 'nobody' },
    keyAlgorithm: 'EC P-256',
    days: CA_DAYS,
    now,
  });
  const nobodysCa = nobody.certificatePem;
  const { files } = config.tls;
  if (files !== null) {
    return {
      pair: readServerPair(files),
      nobodysCa,
      developmentCaFile: null,
      watch: (onChange) => watchServerPair(files, logger, onChange),
    };
  }
  const development = await developmentPair(config, now);
  logger.warn(
    { ca: development.caFile },
    'no server certificate is configured: using one of a local development CA. Set SALLYPORT_TLS_CERTIFICATE_FILE and SALLYPORT_TLS_KEY_FILE for anything else',
  );
  return { pair: development.pair, nobodysCa, developmentCaFile: development.caFile, watch: () => () => undefined };
}

/**
 * A server certificate for localhost and every endpoint below the agent domain. The CA's key is dropped as soon as it
 * has signed: nobody who reads the data folder can sign anything that a developer's machine trusts. When the server
 * certificate comes to its end, both are made anew.
 */
async function developmentPair(config: Config, now: Date): Promise<{ pair: ServerPair; caFile: string }> {
  const folder = join(config.dataDirectory, 'development-ca');
  const caFile = join(folder, 'ca.crt');
  const files = { certificateFile: join(folder, 'server.crt'), keyFile: join(folder, 'server.key') };
  const names = ['localhost', ...(config.agentDomain === null ? [] : [config.agentDomain, `*.${config.agentDomain}`])];
  if (existsSync(caFile) && existsSync(files.certificateFile) && existsSync(files.keyFile)) {
    const pair = readServerPair(files);
    const leaf = new X509Certificate(pair.certificate);
    const serves = names.every((name) => leaf.subjectAltName?.split(', ').includes(`DNS:${name}`));
    const lasts = leaf.validToDate.getTime() - now.getTime() > RENEW_BELOW_DAYS * DAY_MS;
    if (serves && lasts) return { pair, caFile };
  }
  const authority = await createAuthority({
    subject: { commonName: 'Sallyport development CA', organization: 'Sallyport' },
    keyAlgorithm: 'EC P-256',
    days: CA_DAYS,
    now,
  });
  const issued = await issueServerCertificate({
    authority,
    dnsNames: names,
    ipAddresses: ['127.0.0.1', '::1'],
    days: SERVER_DAYS,
    now,
  });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(files.keyFile, issued.privateKeyPem, { mode: 0o600 });
  writeFileSync(files.certificateFile, issued.certificatePem);
  writeFileSync(caFile, authority.certificatePem);
  return { pair: { certificate: readFileSync(files.certificateFile, 'utf8'), key: issued.privateKeyPem }, caFile };
}
