import { certificateFile, keyFile } from '../../delegate-variables.ts';
import { at, repairAt } from '../../edit/repair.ts';
import type { PartEdit } from '../../edit/text-part.ts';
import { addItemBefore, addPair, edit, removeItem, removePair, setScalar } from '../../edit/yaml-edits.ts';
import { blockLines } from '../../edit/yaml-emit.ts';
import type { Problem } from '../../finding.ts';
import { encodeBase64, normalizePem } from '../../pem.ts';
import { entryFault } from '../certificate-secret.ts';
import type { KubernetesObject } from '../objects.ts';
import type { KubernetesScene } from '../scene.ts';
import { secretText } from '../secret-data.ts';

export function* secretRules(scene: KubernetesScene): Iterable<Problem> {
  yield* placeholderSecrets(scene);
  yield* tokenName(scene);
  yield* creation(scene);
  yield* content(scene);
  yield* tokenSecretWithCertificate(scene);
  yield* namespaces(scene);
}

/** With an existing Secret in the cluster, a half-filled one of the same file would overwrite it when applied. */
function* placeholderSecrets({ secret, target }: KubernetesScene): Iterable<Problem> {
  const { object } = secret;
  if (!object || target.secretName === undefined) return;
  if (!isUnfilled(object, secret.certificateKey, secret.privateKey)) return;
  if (object.name !== target.secretName && !secret.tokenNames.has(object.name)) return;
  yield {
    code: 'SECRET_WOULD_BE_REPLACED',
    at: at(object.root.at('metadata', 'name') ?? object.root),
    message: `The Secret "${object.name}" holds placeholders; applying it would replace the real one.`,
    remedy: 'Take it out of the file: the Secret with the certificate exists in the cluster.',
    repair: () => ({
      what: `removed the Secret "${object.name}" that held only placeholders`,
      edits: [removeObject(object)],
    }),
  };
}

/** A Secret applied under the token Secret's name replaces it: DELEGATE_TOKEN is gone and the delegate cannot sign in. */
function* tokenName({ secret, delegate }: KubernetesScene): Iterable<Problem> {
  const { object, name } = secret;
  if (!object || name === undefined || !secret.tokenNames.has(object.name)) return;
  const place = object.root.at('metadata', 'name') ?? object.root;
  yield {
    code: 'SECRET_SHARES_TOKEN_NAME',
    at: at(place),
    message: `The certificate's Secret is named "${object.name}" like the Secret with the token: applied last, it replaces the token, and "${delegate.object.name}" cannot sign in.`,
    remedy: `Give it a name of its own, "${name}".`,
    repair: repairAt(place, `renamed the certificate's Secret from "${object.name}" to "${name}"`, () => [
      setScalar(place, name),
    ]),
  };
}

function* creation({ secret, delegate, target }: KubernetesScene): Iterable<Problem> {
  const { name, object, mixed } = secret;
  const elsewhere = delegate.partial || delegate.object.typedList;
  if (name === undefined || object || elsewhere || target.secretName !== undefined) return;
  const data = target.credentials ? encoded(target.credentials) : encodedFrom(mixed[0]);
  if (!data) return;
  const { namespace } = delegate.object;
  const manifest = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, ...(namespace !== undefined && { namespace }) },
    type: 'Opaque',
    data: { [secret.certificateKey]: data.certificate, [secret.privateKey]: data.key },
  };
  yield {
    code: 'CERTIFICATE_SECRET_MISSING',
    at: at(delegate.object.root),
    message: 'The client certificate and its key come to the pods in a Secret, which must be there before they start.',
    remedy: `Add the Secret "${name}" in front of "${delegate.object.name}".`,
    repair: () => ({
      what: `added the Secret "${name}" with client certificate and key`,
      edits: [putBefore(delegate.object, manifest)],
    }),
    safe: false,
  };
}

/** The Secret must hold the certificate that was asked for; without one, at least what it holds must be base64. */
function* content({ secret, target }: KubernetesScene): Iterable<Problem> {
  const { object } = secret;
  if (!object || (target.secretName !== undefined && object.name !== target.secretName)) return;
  const wanted = [
    { key: secret.certificateKey, pem: target.credentials?.certificatePem, label: 'CERTIFICATE' },
    { key: secret.privateKey, pem: target.credentials?.keyPem, label: 'PRIVATE KEY' },
  ] as const;
  for (const { key, pem, label } of wanted) {
    const entry = secretText(object).get(key);
    const fault = entryFault(entry, label);
    if (fault === 'plain' && entry) {
      yield {
        code: 'SECRET_NOT_BASE64',
        at: at(entry.cursor),
        message: `"${key}" stands under data as plain PEM, and Kubernetes expects base64 there.`,
        remedy: 'Encode it, or move it to stringData.',
        repair: repairAt(entry.cursor, `encoded "${key}" as base64`, () => [
          setScalar(entry.cursor, encodeBase64(normalizePem(pem ?? entry.cursor.text ?? ''))),
        ]),
      };
      continue;
    }
    const current = entry?.value === undefined ? undefined : normalizePem(entry.value);
    if (pem === undefined ? fault === undefined : current === normalizePem(pem)) continue;
    yield {
      code:
        fault === 'placeholder'
          ? 'CERTIFICATE_PLACEHOLDER'
          : fault === 'missing'
            ? 'CERTIFICATE_SECRET_MISSING'
            : 'SECRET_OUTDATED',
      at: at(entry?.cursor ?? object.root.at('metadata', 'name') ?? object.root),
      message: faultMessage(object.name, key, fault),
      remedy: `Put the ${label === 'CERTIFICATE' ? 'client certificate' : 'private key'} there.`,
      ...(pem !== undefined && { repair: fill(object, key, pem), independent: entry !== undefined }),
      safe: false,
    };
  }
}

function faultMessage(name: string, key: string, fault: 'missing' | 'placeholder' | 'plain' | undefined): string {
  if (fault === 'missing') return `The Secret "${name}" has no "${key}".`;
  if (fault === 'placeholder')
    return `"${key}" of the Secret "${name}" holds no PEM: a placeholder is still there, or it is not base64.`;
  return `"${key}" of the Secret "${name}" is another one than the one given.`;
}

function fill(object: KubernetesObject, key: string, pem: string): NonNullable<Problem['repair']> {
  const entry = secretText(object).get(key);
  const what = `put the given content into "${key}" of the Secret "${object.name}"`;
  const text = (field: string) => (field === 'data' ? encodeBase64(normalizePem(pem)) : normalizePem(pem));
  if (entry) return repairAt(entry.cursor, what, () => [setScalar(entry.cursor, text(entry.field))]);
  const field = object.root.get('data') || !object.root.get('stringData') ? 'data' : 'stringData';
  const map = object.root.get(field);
  return repairAt(map ?? object.root, what, () => [
    map ? addPair(map, key, text(field)) : addPair(object.root, field, { [key]: text(field) }),
  ]);
}

/** `envFrom` would hand the private key to the container as an environment variable, where it leaks into logs and child processes. */
function* tokenSecretWithCertificate({ secret, target }: KubernetesScene): Iterable<Problem> {
  if (!secret.object && target.secretName === undefined) return;
  for (const mixed of secret.mixed) {
    for (const key of new Set([certificateFile, keyFile, secret.certificateKey, secret.privateKey])) {
      const entry = secretText(mixed).get(key);
      if (!entry) continue;
      yield {
        code: 'SECRET_HOLDS_TOKEN_TOO',
        at: at(entry.cursor),
        message: `"${key}" stands in "${mixed.name}", the Secret with the token, which envFrom turns into environment variables.`,
        remedy: 'Keep certificate and key in a Secret of their own.',
        repair: repairAt(entry.cursor, `took "${key}" out of the token's Secret "${mixed.name}"`, () => [
          removePair(entry.cursor),
        ]),
        safe: false,
      };
    }
  }
}

function* namespaces({ secret, delegate }: KubernetesScene): Iterable<Problem> {
  const { object } = secret;
  const wanted = delegate.object.namespace;
  if (!object || wanted === undefined || object.namespace === wanted || object.name !== secret.name) return;
  const metadata = object.root.get('metadata');
  if (!metadata) return;
  const place = metadata.get('namespace');
  yield {
    code: 'SECRET_OTHER_NAMESPACE',
    at: at(place ?? metadata),
    message: `The Secret "${object.name}" ${object.namespace === undefined ? 'names no namespace' : `is in the namespace "${object.namespace}"`}, and pods of "${wanted}" cannot mount it.`,
    remedy: `Put it into the namespace "${wanted}".`,
    repair: repairAt(place ?? metadata, `put the Secret "${object.name}" into the namespace "${wanted}"`, () => [
      place ? setScalar(place, wanted) : addPair(metadata, 'namespace', wanted),
    ]),
  };
}

/** Whether certificate or key are missing from a Secret, or only held a place for. */
export function isUnfilled(secret: KubernetesObject, certificateKey: string, privateKey: string): boolean {
  const entries = secretText(secret);
  const faults = [
    entryFault(entries.get(certificateKey), 'CERTIFICATE'),
    entryFault(entries.get(privateKey), 'PRIVATE KEY'),
  ];
  return faults.some((fault) => fault === 'missing' || fault === 'placeholder');
}

function encoded(credentials: { certificatePem: string; keyPem: string }) {
  return {
    certificate: encodeBase64(normalizePem(credentials.certificatePem)),
    key: encodeBase64(normalizePem(credentials.keyPem)),
  };
}

/** The content that a token Secret holds beside its token, when it is a certificate and a key. */
function encodedFrom(secret: KubernetesObject | undefined): { certificate: string; key: string } | undefined {
  if (!secret || isUnfilled(secret, certificateFile, keyFile)) return undefined;
  const entries = secretText(secret);
  const [certificatePem, keyPem] = [entries.get(certificateFile)?.value, entries.get(keyFile)?.value];
  return certificatePem !== undefined && keyPem !== undefined ? encoded({ certificatePem, keyPem }) : undefined;
}

/** Puts an object in front of another: an item into a `List`, a document into a file. */
export function putBefore(object: KubernetesObject, manifest: Readonly<Record<string, unknown>>): PartEdit {
  const { root, part } = object;
  if (root.parent) return addItemBefore(root.parent, root, manifest);
  const lines = blockLines(manifest, { step: 2, indentSequences: false }).join(part.eol);
  const marker = /^---(?=[ \t\r\n])/m.exec(part.text);
  if (marker) return edit(part, marker.index, marker.index, `---${part.eol}${lines}${part.eol}`);
  const start = part.text.startsWith('\uFEFF') ? 1 : 0;
  return edit(part, start, start, `${lines}${part.eol}---${part.eol}`);
}

function removeObject(object: KubernetesObject): PartEdit {
  if (object.root.parent) return removeItem(object.root);
  return edit(object.part, 0, object.part.text.length, '');
}
