import { certificateFile, keyFile } from '../delegate-variables.ts';
import { hasPemBlock } from '../pem.ts';
import { certificateVolume, projectedKeys } from './certificate-volume.ts';
import { type KubernetesObject, podSpecOf, sameNamespace } from './objects.ts';
import { holdsToken, type SecretEntry, secretText } from './secret-data.ts';
import { mentions } from './variables.ts';
import type { DelegateWorkload, Workload } from './workloads.ts';

/** Which Secret holds the delegate's certificate, or is to hold it. */
export interface SecretPlan {
  /** What every certificate volume must name; undefined when nothing tells. */
  readonly name: string | undefined;
  /** The Secret of this file that holds the certificate; it may still bear a wrong name. */
  readonly object: KubernetesObject | undefined;
  /** Secrets with a token and a certificate in one. */
  readonly mixed: readonly KubernetesObject[];
  /** Names that belong to token Secrets. */
  readonly tokenNames: ReadonlySet<string>;
  /** The Secret's keys for certificate and private key. */
  readonly certificateKey: string;
  readonly privateKey: string;
}

export interface SecretWishes {
  readonly secretName: string | undefined;
  readonly willCreate: boolean;
  /** The file holds no other delegate, whose certificate might be taken for this one's. */
  readonly alone: boolean;
}

export function planSecret(
  delegate: DelegateWorkload,
  jobs: readonly Workload[],
  objects: readonly KubernetesObject[],
  wishes: SecretWishes,
): SecretPlan {
  const volume = certificateVolume(delegate, wishes.secretName);
  const { certificate = certificateFile, key = keyFile } = projectedKeys(volume);
  const mounted = volume?.at('secret', 'secretName')?.text;
  const standard = standardSecretName(delegate);
  const own = tokenReferences([delegate, ...jobs]);
  const tokenNames = new Set([
    ...own,
    ...objects.filter((each) => each.kind === 'Secret' && holdsToken(each)).map((each) => each.name),
  ]);

  const all = objects.filter((object) => object.kind === 'Secret' && holdsCertificate(object, certificate, key));
  const near = all.filter((secret) => sameNamespace(secret, delegate.object));
  // One of the right name in the wrong namespace is meant for this delegate all the same: it is moved.
  const holders = near.length > 0 ? near : all.filter((secret) => secret.name === mounted || secret.name === standard);
  const meant = new Set([wishes.secretName, mounted, standard, ...own]);
  // Another certificate in the file must not be taken for this delegate's: it would be overwritten.
  const plausible = (secret: KubernetesObject) =>
    (meant.has(secret.name) || (wishes.alone && /mtls|cert|delegate/i.test(secret.name))) &&
    !belongsToAnother(secret, delegate, objects);
  const pure = holders.filter((secret) => !holdsToken(secret) && plausible(secret));
  const mixed = holders.filter((secret) => holdsToken(secret) && (wishes.alone || own.has(secret.name)));

  const object =
    pure.find((secret) => secret.name === (wishes.secretName ?? mounted) && !tokenNames.has(secret.name)) ??
    pure.find((secret) => secret.name === standard) ??
    pure.find((secret) => !tokenNames.has(secret.name)) ??
    pure[0];
  const plan = { object, mixed, tokenNames, certificateKey: certificate, privateKey: key };
  if (wishes.secretName !== undefined) return { ...plan, name: wishes.secretName };
  if (object) return { ...plan, name: tokenNames.has(object.name) || object.name === '' ? standard : object.name };
  if (mixed.length > 0 || wishes.willCreate) return { ...plan, name: standard };
  return { ...plan, name: mounted !== undefined && !tokenNames.has(mounted) ? mounted : undefined };
}

/** A name of its own, derived from the delegate's. */
export function standardSecretName(delegate: DelegateWorkload): string {
  return `${delegate.object.name || 'delegate'}-client-certificate`;
}

export function certificateEntry(secret: KubernetesObject, key: string): SecretEntry | undefined {
  return secretText(secret).get(key);
}

/** What is wrong with a Secret's entry that should hold PEM; undefined when nothing is. */
export function entryFault(
  entry: SecretEntry | undefined,
  labelEnd: 'CERTIFICATE' | 'PRIVATE KEY',
): 'missing' | 'placeholder' | 'plain' | undefined {
  if (!entry) return 'missing';
  if (entry.value !== undefined && hasPemBlock(entry.value, labelEnd)) return undefined;
  return entry.field === 'data' && hasPemBlock(entry.cursor.text ?? '', labelEnd) ? 'plain' : 'placeholder';
}

function holdsCertificate(secret: KubernetesObject, certificate: string, key: string): boolean {
  const entries = secretText(secret);
  return entries.has(certificate) || entries.has(key) || entries.has(certificateFile) || entries.has(keyFile);
}

/** The names under which the delegate and its upgrader look for their tokens. */
function tokenReferences(workloads: readonly Workload[]): Set<string> {
  const names = new Set<string>();
  for (const { container } of workloads) {
    for (const source of container.get('envFrom')?.items() ?? []) {
      const name = source.at('secretRef', 'name')?.text;
      if (name !== undefined) names.add(name);
    }
    for (const item of container.get('env')?.items() ?? []) {
      const reference = item.at('valueFrom', 'secretKeyRef');
      const name = reference?.get('name')?.text;
      if (name !== undefined && /TOKEN|SECRET/.test(reference?.get('key')?.text ?? '')) names.add(name);
    }
  }
  return names;
}

/** Other workloads use it, and this delegate does not. */
function belongsToAnother(
  secret: KubernetesObject,
  delegate: DelegateWorkload,
  objects: readonly KubernetesObject[],
): boolean {
  const users = objects.filter((object) => {
    const spec = object.kind === 'CronJob' ? undefined : podSpecOf(object);
    return spec && mentions(spec, secret);
  });
  return users.length > 0 && users.every((object) => object.root.node !== delegate.object.root.node);
}
