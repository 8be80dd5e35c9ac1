import type { Credentials } from '../credentials.ts';
import type { YamlFile } from '../edit/yaml-file.ts';
import type { Endpoint } from '../endpoint.ts';
import { planSecret, type SecretPlan } from './certificate-secret.ts';
import { type KubernetesObject, objectsOf } from './objects.ts';
import { type Upgrader, upgraderOf } from './upgraders.ts';
import { type DelegateWorkload, delegatesOf } from './workloads.ts';

/** Where a manifest is to get to. */
export interface Target {
  readonly endpoint: Endpoint | undefined;
  readonly credentials: Credentials | undefined;
  readonly secretName: string | undefined;
  /** The delegate runs CI builds, so that TI_SERVICE_URL must be there. */
  readonly continuousIntegration: boolean;
}

/** One delegate of a Kubernetes file, with all that its way to mTLS touches. */
export interface KubernetesScene {
  readonly objects: readonly KubernetesObject[];
  readonly delegate: DelegateWorkload;
  readonly upgrader: Upgrader;
  readonly secret: SecretPlan;
  readonly target: Target;
}

/** Reads the file as it stands now. Undefined when the delegate is not in it. */
export function sceneOf(
  file: YamlFile,
  choose: (delegates: readonly DelegateWorkload[]) => DelegateWorkload | undefined,
  target: Target,
): KubernetesScene | undefined {
  const objects = objectsOf(file);
  const delegates = delegatesOf(objects);
  const delegate = choose(delegates);
  if (!delegate) return undefined;
  const upgrader = upgraderOf(delegate, objects, delegates.length === 1);
  const wishes = {
    secretName: target.secretName,
    willCreate: target.credentials !== undefined,
    alone: delegates.length === 1,
  };
  const secret = planSecret(delegate, upgrader.jobs, objects, wishes);
  return { objects, delegate, upgrader, secret, target };
}
