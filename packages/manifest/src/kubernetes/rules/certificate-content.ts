import type { CertificateInspector } from '../../certificate-inspector.ts';
import { uncheckedCertificate } from '../../credentials.ts';
import { at } from '../../edit/repair.ts';
import type { Problem } from '../../finding.ts';
import { hasPemBlock } from '../../pem.ts';
import type { KubernetesObject } from '../objects.ts';
import { type SecretEntry, secretText } from '../secret-data.ts';

/** A certificate of a file, with the private key beside it. */
export interface CertificateInFile {
  readonly secret: KubernetesObject;
  readonly certificate: SecretEntry & { readonly value: string };
  readonly key: SecretEntry | undefined;
}

const pairs = [
  ['client.crt', 'client.key'],
  ['tls.crt', 'tls.key'],
] as const;

export function certificatesOf(objects: readonly KubernetesObject[]): CertificateInFile[] {
  return objects
    .filter((object) => object.kind === 'Secret')
    .flatMap((secret) => {
      const entries = secretText(secret);
      return pairs.flatMap(([certificateKey, privateKey]) => {
        const certificate = entries.get(certificateKey);
        if (certificate?.value === undefined || !hasPemBlock(certificate.value, 'CERTIFICATE')) return [];
        return [{ secret, certificate: { ...certificate, value: certificate.value }, key: entries.get(privateKey) }];
      });
    });
}

export function* certificateContent(
  objects: readonly KubernetesObject[],
  inspector: CertificateInspector | undefined,
): Iterable<Problem> {
  for (const found of certificatesOf(objects)) if (inspector) yield* inspected(found, inspector);
  for (const object of objects.filter((each) => each.kind === 'ConfigMap')) {
    for (const entry of object.root.get('data')?.entries() ?? []) {
      if (!hasPemBlock(entry.text ?? '', 'PRIVATE KEY')) continue;
      // Whoever may read ConfigMaps, which is nearly everybody in a namespace, can then be this delegate.
      yield {
        code: 'CERTIFICATE_IN_CONFIG_MAP',
        at: at(entry),
        message: `The ConfigMap "${object.name}" holds a private key; ConfigMaps are not protected like Secrets.`,
        remedy: 'Move it to a Secret, and have the certificate issued anew: this key has been seen.',
      };
    }
  }
}

function* inspected(
  { secret, certificate, key }: CertificateInFile,
  inspector: CertificateInspector,
): Iterable<Problem> {
  const report = inspector.inspect({ certificate: certificate.value, key: key?.value });
  const place = at(certificate.cursor);
  const name = `The client certificate in the Secret "${secret.name}"`;
  if (report.unreadable !== undefined) {
    yield {
      code: 'CERTIFICATE_UNREADABLE',
      at: place,
      message: `${name} cannot be read: ${report.unreadable}`,
      remedy: 'Put the right certificate there.',
    };
  }
  if (report.keyMatches === false) {
    const message = `${name} and the private key beside it do not belong together.`;
    yield {
      code: 'KEY_MISMATCH',
      at: at(key?.cursor ?? certificate.cursor),
      message,
      remedy: 'Put the key there that the certificate was requested with.',
    };
  }
  if (report.refusal !== undefined) {
    yield {
      code: 'CERTIFICATE_REFUSED',
      at: place,
      message: `The endpoint would refuse the certificate in the Secret "${secret.name}": ${report.refusal}`,
      remedy: 'Have it issued by a CA of the endpoint’s bundle.',
    };
  }
  const pair = { certificatePem: certificate.value, keyPem: key?.value };
  for (const unchecked of uncheckedCertificate(pair, inspector, place)) yield { ...unchecked, severity: 'note' };
  for (const { severity, message, remedy } of report.concerns ?? []) {
    yield { code: 'CERTIFICATE_CONCERN', severity, at: place, message: `${name}: ${message}`, remedy };
  }
}
