import { keyConcerns } from '../../credentials.ts';
import { at } from '../../edit/repair.ts';
import { shellQuote } from '../../edit/shell-words.ts';
import type { Problem } from '../../finding.ts';
import { certificateEntry } from '../certificate-secret.ts';
import { referenced } from '../objects.ts';
import type { KubernetesScene } from '../scene.ts';
import { mountedConfigMaps } from '../upgraders.ts';
import { resolveVariable } from '../variables.ts';

/** What is worth saying about a delegate's manifest and is nobody's to change without being asked. */
export function* advice(scene: KubernetesScene): Iterable<Problem> {
  yield* secretElsewhere(scene);
  yield* autoscaler(scene);
  yield* selector(scene);
  yield* order(scene);
  yield* upgrader(scene);
  yield* keyForm(scene);
}

function* secretElsewhere({ secret, delegate, target, objects }: KubernetesScene): Iterable<Problem> {
  const inFile = secret.object && (target.secretName === undefined || secret.object.name === target.secretName);
  if (secret.name === undefined || inFile) return;
  // cert-manager makes it from a Certificate of the file; one made by hand would be claimed by both.
  const issued = objects.some(
    ({ kind, root }) => kind === 'Certificate' && root.at('spec', 'secretName')?.text === secret.name,
  );
  if (issued) return;
  const create = `kubectl create secret generic ${shellQuote(secret.name)} --from-file=${shellQuote(`${secret.certificateKey}=client.crt`)} --from-file=${shellQuote(`${secret.privateKey}=client.key`)}`;
  yield {
    code: 'CERTIFICATE_SECRET_MISSING',
    at: at(delegate.object.root),
    message: `The Secret "${secret.name}" is not in this file; pods wait until it exists.`,
    remedy: `Create it before you apply the file, in the same namespace: ${create}`,
  };
}

function* autoscaler({ objects }: KubernetesScene): Iterable<Problem> {
  for (const object of objects.filter((each) => each.kind === 'HorizontalPodAutoscaler')) {
    const target = object.root.at('spec', 'scaleTargetRef');
    const [kind, name] = [target?.get('kind')?.text ?? '', target?.get('name')];
    if (!name?.text || referenced(objects, kind, name.text, object)) continue;
    yield {
      code: 'HPA_TARGET_MISSING',
      at: at(name),
      message: `The HorizontalPodAutoscaler "${object.name}" scales the ${kind} "${name.text}", which is not in this file.`,
      remedy: 'Point it at the delegate, or remove it.',
    };
  }
}

function* selector({ delegate }: KubernetesScene): Iterable<Problem> {
  const label = delegate.object.root.at('spec', 'selector', 'matchLabels', 'harness.io/name');
  if (label?.text !== 'delegate') return;
  yield {
    code: 'SELECTOR_SHARED',
    at: at(label),
    message:
      'The pod selector "harness.io/name: delegate" is the sample manifest’s: a second delegate of the same namespace selects the same pods.',
    remedy:
      'Leave it on an existing Deployment (selectors cannot be changed); give a new delegate a selector of its own.',
  };
}

function* order({ objects, delegate, secret }: KubernetesScene): Iterable<Problem> {
  const { object } = secret;
  const place = (root: unknown) => objects.findIndex((each) => each.root.node === root);
  if (!object || place(object.root.node) < place(delegate.object.root.node)) return;
  yield {
    code: 'SECRET_ORDER',
    at: at(object.root),
    message: `The Secret "${object.name}" stands behind "${delegate.object.name}", whose pods wait for it.`,
    remedy: 'Put it in front: Secret, ConfigMap, Deployment, CronJob.',
  };
}

function* upgrader({ objects, delegate, upgrader: { configs, jobs } }: KubernetesScene): Iterable<Problem> {
  for (const { root, workloadName } of configs) {
    const place = root?.get('workloadName') ?? root;
    if (!place || workloadName === delegate.object.name) continue;
    yield {
      code: 'UPGRADER_WORKLOAD_UNKNOWN',
      at: at(place),
      message: `The upgrader's workloadName is "${workloadName ?? ''}", and the delegate's workload is "${delegate.object.name}".`,
      remedy: `Set workloadName to ${delegate.object.name}, or the delegate is never upgraded.`,
    };
  }
  for (const job of jobs) {
    if (resolveVariable(job, 'MANAGER_HOST_AND_PORT', objects).kind !== 'absent') {
      yield {
        code: 'UPGRADER_WITHOUT_MTLS',
        at: at(job.object.root),
        message: `"${job.object.name}" is an upgrader of the first generation: it has no client certificate, and STRICT refuses it.`,
        remedy: 'Replace it by the upgrader with a config.yaml before the account becomes STRICT.',
      };
    }
    for (const name of mountedConfigMaps(job)) {
      if (configs.length > 0 || referenced(objects, 'ConfigMap', name, job.object)) continue;
      yield {
        code: 'EXTERNAL_VALUE',
        at: at(job.object.root),
        message: `The upgrader's config.yaml is in the ConfigMap "${name}", which is not in this file.`,
        remedy: 'Migrate that file too: managerHost, clientCertificateFilePath and clientCertificateKeyFilePath.',
      };
    }
  }
}

function* keyForm({ secret }: KubernetesScene): Iterable<Problem> {
  const entry = secret.object && certificateEntry(secret.object, secret.privateKey);
  if (!entry?.value) return;
  for (const concern of keyConcerns(entry.value)) yield { code: 'KEY_FORM', at: at(entry.cursor), ...concern };
}
