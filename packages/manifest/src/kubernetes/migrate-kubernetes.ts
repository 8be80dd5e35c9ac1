import { uncheckedCertificate } from '../credentials.ts';
import { EditableText } from '../edit/editable-text.ts';
import { at } from '../edit/repair.ts';
import { settle } from '../edit/settle.ts';
import { YamlFile } from '../edit/yaml-file.ts';
import type { Endpoint } from '../endpoint.ts';
import type { Problem } from '../finding.ts';
import type { CompanionFile, MigrateOptions, Migration } from '../migration.ts';
import { report, warningsFrom } from '../migration-report.ts';
import { refusal, refuseDuplicates, refuseUnparsable } from '../yaml-refusals.ts';
import { atEndpoint, mtlsBegun, namesNoEndpoint } from './begun.ts';
import { certificateEntry } from './certificate-secret.ts';
import { certificateVolume } from './certificate-volume.ts';
import { chooseDelegate, refuseUnfit, sameDelegate } from './refusals.ts';
import { advice } from './rules/advice.ts';
import { kubernetesRules, kubernetesStages } from './rules.ts';
import { type KubernetesScene, sceneOf, type Target } from './scene.ts';
import { fileNameFault, secretManifest } from './secret-manifest.ts';
import { refuseSecrets } from './secret-refusals.ts';
import { firstTouched, untouched } from './untouched.ts';

/**
 * Migrates one delegate of a Kubernetes file. The result parses, has nothing left that a second migration would change,
 * and says the same as before about everything that mTLS does not concern; whatever does not come out so is refused.
 *
 * @throws ManifestError, with the line.
 */
export function migrateKubernetes(text: string, endpoint: Endpoint, options: MigrateOptions): Migration {
  const source = new EditableText(text);
  const file = new YamlFile(source);
  refuseUnparsable(file);
  const chosen = chooseDelegate(file, options.delegate);
  const read = reader(file, chosen, {
    endpoint,
    credentials: options.certificate,
    secretName: options.secretName,
    continuousIntegration: options.continuousIntegration ?? false,
  });

  const before = read();
  refuseUnfit(before, source);
  refuseSecrets(before, source, options.inspector);
  const progress = {
    begun: mtlsBegun(before),
    atEndpoint: atEndpoint(before),
    namesNoEndpoint: namesNoEndpoint(before),
  };

  const applied = settle(file, read, kubernetesStages);
  const after = read();
  refuseDuplicates(
    file,
    after.upgrader.configs.map((config) => config.root),
  );
  const secrets = secretNames(before);
  const touched =
    source.text === text ? undefined : firstTouched(untouched(before, secrets), untouched(after, secrets));
  if (touched) {
    const message = `The change would reach parts of the ${touched.kind} "${touched.name}" that mTLS does not concern: it is written in a way that is not understood here. Change it by hand.`;
    throw refusal(source, 'SHAPE_UNSUPPORTED', message, touched.root);
  }
  const left = [...kubernetesRules, advice].flatMap((rule) => [...rule(after)]);
  return {
    form: 'kubernetes',
    text: source.text,
    ...report(applied, progress),
    warnings: warningsFrom([...left, ...unchecked(after, options)], source),
    companions: companionsOf(after, source),
  };
}

function reader(file: YamlFile, chosen: ReturnType<typeof chooseDelegate>, target: Target): () => KubernetesScene {
  const choose = sameDelegate(chosen);
  let last: { readonly text: string; readonly scene: KubernetesScene } | undefined;
  return () => {
    const { text } = file.source;
    if (last?.text === text) return last.scene;
    const scene = sceneOf(file, choose, target);
    if (scene) {
      last = { text, scene };
      return scene;
    }
    throw refusal(
      file.source,
      'SHAPE_UNSUPPORTED',
      `"${chosen.object.name}" is not recognised any more after a change; change it by hand.`,
      chosen.object.root,
    );
  };
}

function unchecked({ secret, delegate }: KubernetesScene, { certificate, inspector }: MigrateOptions): Problem[] {
  const entry = secret.object && certificateEntry(secret.object, secret.certificateKey);
  const key = secret.object && certificateEntry(secret.object, secret.privateKey);
  const inFile = entry?.value === undefined ? undefined : { certificatePem: entry.value, keyPem: key?.value };
  return uncheckedCertificate(certificate ?? inFile, inspector, at(entry?.cursor ?? delegate.object.root));
}

/** Every name that the certificate's Secret has, had, or is looked for under. */
function secretNames({ secret, delegate, upgrader }: KubernetesScene): Set<string> {
  const mounted = [delegate, ...upgrader.jobs].map(
    (pod) => certificateVolume(pod, secret.name)?.at('secret', 'secretName')?.text,
  );
  return new Set([secret.name, secret.object?.name, ...mounted].filter((name) => name !== undefined));
}

function companionsOf({ delegate, secret, target }: KubernetesScene, source: EditableText): CompanionFile[] {
  const elsewhere = delegate.partial || delegate.object.typedList;
  if (!elsewhere || !target.credentials || secret.object || secret.name === undefined) return [];
  const fault = fileNameFault(secret.name);
  if (fault) throw refusal(source, 'SHAPE_UNSUPPORTED', fault, delegate.object.root);
  return [
    {
      path: `${secret.name}.yaml`,
      text: secretManifest(secret.name, delegate.object.namespace, target.credentials),
      why: delegate.partial
        ? 'A patch cannot add an object: list this file under resources of the kustomization.'
        : 'A list of one kind cannot hold a Secret: apply this file first.',
    },
  ];
}
