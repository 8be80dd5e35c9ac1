import {
  AgentTokenSource,
  CertificateFileError,
  ClientCertificateSource,
  ManagerClient,
  ManagerError,
  TransportError,
} from '@sallyport/client';
import { upgradePaths } from '@sallyport/protocol';
import { DelegateRegistered, restResponse, UpgradeCheck } from '@sallyport/protocol/schemas';
import manifest from '../../package.json' with { type: 'json' };
import { EXIT, UpgradeError } from '../config/exit-codes.ts';
import type { UpgraderConfig } from '../config/upgrader-config.ts';

/** Asks the manager, over mTLS when there is a client certificate. */
export class UpgradeChecks {
  readonly #client: ManagerClient;
  readonly #certificates: ClientCertificateSource | null;
  readonly #accountId: string;

  private constructor(client: ManagerClient, certificates: ClientCertificateSource | null, accountId: string) {
    this.#client = client;
    this.#certificates = certificates;
    this.#accountId = accountId;
  }

  /** Throws UpgradeError with `configuration` when a certificate or CA file cannot be used. Connects to nobody yet. */
  static async create(config: UpgraderConfig): Promise<UpgradeChecks> {
    const { accountId, managerUrl, token, clientCertificate } = config;
    const tokens = new AgentTokenSource({
      ...{ accountId, token },
      issuer: 'upgrader',
      audience: new URL(managerUrl).origin,
    });
    let certificates: ClientCertificateSource | null = null;
    try {
      certificates = clientCertificate === null ? null : await ClientCertificateSource.open(clientCertificate);
      const client = await ManagerClient.create({
        baseUrl: managerUrl,
        extraCaFiles: config.extraCaFiles,
        ...(certificates !== null && { clientCertificate: certificates }),
        proxy: config.proxy,
        userAgent: `sallyport-upgrader/${manifest.version}`,
        authentication: async () => ({ authorization: await tokens.authorization() }),
        requestTimeoutMs: config.callTimeoutMs,
      });
      return new UpgradeChecks(client, certificates, accountId);
    } catch (error) {
      certificates?.close();
      if (error instanceof CertificateFileError) {
        throw new UpgradeError(EXIT.configuration, error.message, error.remedy, error);
      }
      throw error;
    }
  }

  /** The image that the delegate should run; also tells the manager what it runs now. Throws UpgradeError. */
  async delegate(currentDelegateImageTag: string, delegateName: string): Promise<UpgradeCheck> {
    return this.#check(upgradePaths.delegate, { currentDelegateImageTag, delegateName });
  }

  /** The image that this upgrader should run. Throws UpgradeError. */
  async upgrader(currentUpgraderImageTag: string, delegateName: string): Promise<UpgradeCheck> {
    return this.#check(upgradePaths.upgrader, { currentUpgraderImageTag, delegateName });
  }

  /** Whether the delegate is there with the image. Throws UpgradeError. */
  async registered(query: {
    readonly delegateName: string;
    readonly imageTag: string;
    readonly hostName: string;
    readonly since: number;
  }): Promise<DelegateRegistered> {
    const { delegateName, imageTag, hostName, since } = query;
    const { resource } = await this.#ask(restResponse(DelegateRegistered), upgradePaths.registered, {
      ...{ delegateName, imageTag, since: String(since) },
      ...(hostName !== '' && { hostName }),
    });
    return resource;
  }

  async close(): Promise<void> {
    await this.#client.close();
    this.#certificates?.close();
  }

  async #check(path: string, query: Readonly<Record<string, string>>): Promise<UpgradeCheck> {
    return (await this.#ask(restResponse(UpgradeCheck), path, query)).resource;
  }

  async #ask<T extends Parameters<ManagerClient['requestAs']>[0]>(
    schema: T,
    path: string,
    query: Readonly<Record<string, string>>,
  ) {
    try {
      return await this.#client.requestAs(schema, {
        method: 'GET',
        path,
        query: { accountId: this.#accountId, ...query },
      });
    } catch (error) {
      if (error instanceof ManagerError) {
        throw new UpgradeError(
          EXIT.manager,
          `The manager refused the call (${error.code}): ${error.message}`,
          error.remedy,
          error,
        );
      }
      if (error instanceof TransportError) throw new UpgradeError(EXIT.manager, error.message, error.remedy, error);
      throw error;
    }
  }
}
