import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type DevAccount, type DevManager, TestAuthority } from '@sallyport/dev-env';
import { generate } from '@sallyport/manifest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { KubernetesApi, type Rule } from './kubernetes-api.ts';
import { isObject, type JsonObject } from './strategic-merge.ts';
import { type Run, runHere, runProcess } from './upgrader-process.ts';

export const NAMESPACE = 'harness-delegate-ng';
export const NAME = 'edge';
export const SERVICE_ACCOUNT_TOKEN = 'token-of-the-service-account';

/** A manager whose account is STRICT, and a cluster to which the generated manifest of its delegate was applied. */
export class ClusterRig {
  readonly dev: DevManager;
  readonly account: DevAccount;
  readonly api: KubernetesApi;
  readonly folder: string;
  /** The rules of the generated Role. */
  readonly rules: readonly Rule[];
  readonly deployment: JsonObject;
  readonly #config: JsonObject;
  readonly #t: TestContext;

  private constructor(
    t: TestContext,
    parts: { dev: DevManager; account: DevAccount; api: KubernetesApi; folder: string },
    objects: readonly JsonObject[],
  ) {
    const of = (kind: string) => objects.find((object) => object['kind'] === kind) ?? assert.fail(`no ${kind}`);
    this.#t = t;
    this.dev = parts.dev;
    this.account = parts.account;
    this.api = parts.api;
    this.folder = parts.folder;
    this.rules = (of('Role') as unknown as { rules: readonly Rule[] }).rules;
    this.deployment = of('Deployment');
    const data = of('ConfigMap')['data'];
    this.#config = parse(String(isObject(data) && data['config.yaml'])) as JsonObject;
    this.api.put(this.deployment);
    this.api.put(of('CronJob'));
    this.allow(this.rules);
  }

  static async create(t: TestContext, dev: DevManager, id: string): Promise<ClusterRig> {
    const authority = await TestAuthority.create(id);
    const account = await dev.account(id, { caCertificates: authority.certificatePem, mode: 'STRICT' });
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-upgrader-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const { certificatePem, privateKeyPem } = await authority.client('upgrader');
    writeFileSync(join(folder, 'client.crt'), certificatePem);
    writeFileSync(join(folder, 'client.key'), privateKeyPem);
    writeFileSync(join(folder, 'ca.pem'), dev.serverCa);
    const { files } = generate({
      form: 'kubernetes',
      delegateName: NAME,
      accountId: id,
      image: 'harness/delegate:25.08.86600',
      endpoint: dev.mtlsUrl(id),
      mtls: { from: 'secret', secretName: 'client' },
      token: account.token,
      upgrader: { image: 'harness/upgrader:25.08.1' },
    });
    const text = files.find(({ path }) => path === 'harness-delegate.yaml')?.text ?? '';
    const objects = parseAllDocuments(text).map((document) => document.toJS() as JsonObject);
    const api = await KubernetesApi.start();
    t.after(() => api.stop());
    return new ClusterRig(t, { dev, account, api, folder }, objects);
  }

  /** What the upgrader's service account may do, in place of what the manifest gives it. */
  allow(rules: readonly Rule[]): void {
    this.api.allow(SERVICE_ACCOUNT_TOKEN, 'edge-upgrader', NAMESPACE, rules);
  }

  /** Runs the program by the generated config.yaml with these keys on top. */
  run(keys: Readonly<Record<string, unknown>> = {}, environment: Readonly<Record<string, string>> = {}): Promise<Run> {
    return runHere({ ...this.#written(keys), ...environment });
  }

  /** As `run`, in a process of its own. */
  runProcess(): Promise<Run> {
    return runProcess(this.#t, this.#written({}));
  }

  /** Writes its files. Returns the environment that names them. */
  #written(keys: Readonly<Record<string, unknown>>): Record<string, string> {
    const paths = {
      clientCertificateFilePath: join(this.folder, 'client.crt'),
      clientCertificateKeyFilePath: join(this.folder, 'client.key'),
    };
    writeFileSync(join(this.folder, 'config.yaml'), stringify({ ...this.#config, ...paths, ...keys }));
    writeFileSync(this.kubeconfig, this.api.kubeconfig(SERVICE_ACCOUNT_TOKEN));
    return {
      UPGRADER_CONFIG: join(this.folder, 'config.yaml'),
      UPGRADER_TOKEN: this.account.token,
      SALLYPORT_EXTRA_CA_FILE: join(this.folder, 'ca.pem'),
      KUBECONFIG: this.kubeconfig,
      PATH: '/usr/bin:/bin',
    };
  }

  get kubeconfig(): string {
    return join(this.folder, 'kubeconfig');
  }

  async publish(image: string, component: 'DELEGATE' | 'UPGRADER' = 'DELEGATE', allowOlder = false): Promise<void> {
    const body = { image, component, ring: 'stable', force: true, allowOlder };
    await this.dev.must('POST', '/ng/api/upgrades/releases', body);
  }

  image(plural: 'deployments' | 'cronjobs' = 'deployments'): string {
    const name = plural === 'deployments' ? NAME : `${NAME}-upgrader-job`;
    const [, image] = /"image":"([^"]+)"/.exec(JSON.stringify(this.api.object(plural, NAMESPACE, name))) ?? [];
    return image ?? '';
  }
}
