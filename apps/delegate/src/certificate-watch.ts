import type { CertificateFileError, ClientCertificateSource, ClientIdentity, ManagerClient } from '@sallyport/client';
import type { Logger } from 'pino';

/** Tells log and health what becomes of replaced certificate files, and has the push stream opened anew. */
export class CertificateWatch {
  #problem: string | null = null;

  constructor(
    certificates: ClientCertificateSource | null,
    client: ManagerClient,
    renewStream: () => void,
    logger: Logger,
  ) {
    certificates?.on('rejected', ({ message, remedy }: CertificateFileError) => {
      this.#problem = `${message} ${remedy}`;
      logger.error({ remedy }, `the new client certificate cannot be used, the last good one stays: ${message}`);
    });
    certificates?.on('change', (identity) => {
      logger.info(describe(identity), 'new client certificate files, trying them at the manager');
    });
    client.on('rotated', (identity) => {
      this.#problem = null;
      logger.info(describe(identity), 'the new client certificate is in use');
      renewStream();
    });
    client.on('rotation-refused', ({ error }) => {
      const message = error instanceof Error ? error.message : String(error);
      this.#problem = `The manager does not take the new certificate: ${message}`;
      logger.warn(`the new client certificate does not work yet, the old one stays in use: ${message}`);
    });
  }

  /** Why newer files are not in use; null when they are. */
  get problem(): string | null {
    return this.#problem;
  }
}

function describe({ subject, issuer, fingerprint, notAfter }: ClientIdentity): Record<string, string> {
  return { subject, issuer, fingerprint, notAfter: new Date(notAfter).toISOString() };
}
