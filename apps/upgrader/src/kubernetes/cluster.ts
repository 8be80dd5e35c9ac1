import {
  AppsV1Api,
  BatchV1Api,
  type ConfigurationOptions,
  KubeConfig,
  Observable,
  PatchStrategy,
  type RequestContext,
  type ResponseContext,
  type V1Container,
  type V1PodTemplateSpec,
} from '@kubernetes/client-node';
import { EXIT, UpgradeError } from '../config/exit-codes.ts';
import { explainFailure, statusOf } from './api-failure.ts';

/** A Deployment or a CronJob, as far as it matters here. */
export interface Workload {
  readonly kind: 'Deployment' | 'CronJob';
  readonly name: string;
  readonly namespace: string;
  /** Of the state that was read: a patch with it is refused when somebody changed the object since. */
  readonly resourceVersion: string;
  readonly containers: readonly Pick<V1Container, 'name' | 'image' | 'env'>[];
}

export interface WorkloadName {
  readonly kind: 'Deployment' | 'CronJob';
  readonly name: string;
  readonly namespace: string;
}

const CALLS = {
  Deployment: { resource: 'deployments', group: 'apps' },
  CronJob: { resource: 'cronjobs', group: 'batch' },
} as const;

/** The calls of the Kubernetes API that an upgrade needs: to read one object and to patch it. */
export class Cluster {
  readonly #apps: AppsV1Api;
  readonly #batch: BatchV1Api;
  readonly #timeoutMs: number;

  private constructor(config: KubeConfig, timeoutMs: number) {
    this.#apps = config.makeApiClient(AppsV1Api);
    this.#batch = config.makeApiClient(BatchV1Api);
    this.#timeoutMs = timeoutMs;
  }

  /**
   * With null, by the service account of the pod, whose files lie below `root`. Throws UpgradeError with `configuration`;
   * nothing is connected yet.
   */
  static load(kubeconfig: string | null, timeoutMs: number, root = ''): Cluster {
    const config = new KubeConfig();
    try {
      if (kubeconfig === null) config.loadFromCluster(root);
      else config.loadFromFile(kubeconfig);
    } catch (error) {
      throw unusable(kubeconfig, error instanceof Error ? error.message : String(error), error);
    }
    const cluster = config.getCurrentCluster();
    if (cluster === null) throw unusable(kubeconfig, 'it names no current cluster');
    // A bearer token would go to whoever answers.
    if (cluster.skipTLSVerify)
      throw unusable(kubeconfig, 'it skips the verification of the API server (insecure-skip-tls-verify)');
    if (!cluster.server.startsWith('https://'))
      throw unusable(kubeconfig, `its server ${cluster.server} is not https://`);
    return new Cluster(config, timeoutMs);
  }

  /** Null when there is none. Throws UpgradeError. */
  async read(workload: WorkloadName): Promise<Workload | null> {
    const { kind, name, namespace } = workload;
    const where = { name, namespace };
    try {
      const object =
        kind === 'Deployment'
          ? await this.#apps.readNamespacedDeployment(where, this.#options())
          : await this.#batch.readNamespacedCronJob(where, this.#options());
      const template: V1PodTemplateSpec | undefined =
        'jobTemplate' in (object.spec ?? {})
          ? (object as Awaited<ReturnType<BatchV1Api['readNamespacedCronJob']>>).spec?.jobTemplate.spec?.template
          : (object as Awaited<ReturnType<AppsV1Api['readNamespacedDeployment']>>).spec?.template;
      return {
        ...workload,
        resourceVersion: object.metadata?.resourceVersion ?? '',
        containers: template?.spec?.containers ?? [],
      };
    } catch (error) {
      if (statusOf(error) === 404) return null;
      throw explainFailure(error, { verb: 'get', ...CALLS[kind], name });
    }
  }

  /**
   * Sets the image of one container, as `kubectl set image` does, in the state that was read. False when the object has
   * been changed since then. Throws UpgradeError.
   */
  async setImage(workload: Workload, container: string, image: string): Promise<boolean> {
    const { kind, name, namespace } = workload;
    const request = { name, namespace, body: imagePatch(workload, container, image) };
    try {
      if (kind === 'Deployment') await this.#apps.patchNamespacedDeployment(request, this.#options(true));
      else await this.#batch.patchNamespacedCronJob(request, this.#options(true));
      return true;
    } catch (error) {
      if (statusOf(error) === 409) return false;
      throw explainFailure(error, { verb: 'patch', ...CALLS[kind], name });
    }
  }

  /** Every call has an end, also with an API server that takes connections and says nothing. */
  #options(patch = false): ConfigurationOptions {
    const timeoutMs = this.#timeoutMs;
    return {
      middleware: [
        {
          pre: (request: RequestContext) => {
            request.setSignal(AbortSignal.timeout(timeoutMs));
            if (patch) request.setHeaderParam('Content-Type', PatchStrategy.StrategicMergePatch);
            return new Observable(Promise.resolve(request));
          },
          post: (response: ResponseContext) => new Observable(Promise.resolve(response)),
        },
      ],
      middlewareMergeStrategy: 'append',
    };
  }
}

/** The strategic merge patch: containers are merged by name, and the resource version makes it conditional. */
export function imagePatch({ kind, resourceVersion }: Workload, container: string, image: string): object {
  const template = { spec: { containers: [{ name: container, image }] } };
  const spec = kind === 'Deployment' ? { template } : { jobTemplate: { spec: { template } } };
  return { metadata: { resourceVersion }, spec };
}

function unusable(kubeconfig: string | null, why: string, cause?: unknown): UpgradeError {
  const what = kubeconfig === null ? "The pod's service account" : `The kubeconfig ${kubeconfig}`;
  return new UpgradeError(
    EXIT.configuration,
    `${what} cannot be used: ${why}.`,
    'Run it in a pod with a service account, or name a kubeconfig in KUBECONFIG.',
    cause,
  );
}
