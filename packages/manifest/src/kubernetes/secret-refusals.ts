import type { CertificateInspector } from '../certificate-inspector.ts';
import { refuseCertificate } from '../credentials.ts';
import type { EditableText } from '../edit/editable-text.ts';
import { refusal } from '../yaml-refusals.ts';
import type { KubernetesObject } from './objects.ts';
import { isUnfilled } from './rules/secret-rules.ts';
import type { KubernetesScene } from './scene.ts';
import { secretText } from './secret-data.ts';

/** @throws ManifestError when no Secret can be had for the certificate, or not under the name that it needs. */
export function refuseSecrets(
  scene: KubernetesScene,
  source: EditableText,
  inspector: CertificateInspector | undefined,
): void {
  const { secret, target, delegate, objects } = scene;
  const { object } = secret;
  if (target.secretName !== undefined && secret.tokenNames.has(target.secretName)) {
    const message = `"${target.secretName}" is the Secret with the token; keep the certificate in a Secret of its own.`;
    throw refusal(source, 'SECRET_NAME_TAKEN', message, delegate.container.get('envFrom') ?? delegate.container);
  }
  if (secret.name === undefined) {
    const message = `"${delegate.object.name}" has no client certificate: give certificate and key, or the name of the Secret that holds them.`;
    throw refusal(source, 'CERTIFICATE_MISSING', message, delegate.object.root);
  }
  const other = objects.find(
    (each) => each.kind === 'Secret' && each.name === secret.name && each.root.node !== object?.root.node,
  );
  if (other && target.secretName === undefined) {
    const message = `The certificate's Secret would be named "${secret.name}", and another Secret of this file has that name; rename that one.`;
    throw refusal(source, 'SECRET_NAME_TAKEN', message, nameOf(other));
  }
  if (!object || target.credentials || (target.secretName !== undefined && object.name !== target.secretName)) return;
  if (isUnfilled(object, secret.certificateKey, secret.privateKey)) {
    if (target.secretName !== undefined) return;
    const message = `The Secret "${object.name}" holds no certificate and key yet, only placeholders: give them, or the name of the Secret that holds them.`;
    throw refusal(source, 'CERTIFICATE_MISSING', message, nameOf(object));
  }
  const entries = secretText(object);
  const certificate = entries.get(secret.certificateKey);
  const key = entries.get(secret.privateKey);
  if (!certificate || !key) return;
  const position = source.originalPosition(certificate.cursor.part.offsetInFile(certificate.cursor.keyOffset));
  const pem = (entry: typeof certificate) => entry.value ?? entry.cursor.text ?? '';
  refuseCertificate({ certificatePem: pem(certificate), keyPem: pem(key) }, inspector, position);
}

function nameOf(object: KubernetesObject) {
  return object.root.at('metadata', 'name') ?? object.root;
}
