import { blockLines } from '../edit/yaml-emit.ts';
import { isObjectName } from '../object-name.ts';
import { encodeBase64, normalizePem } from '../pem.ts';

/**
 * Why a Secret cannot have a file named after it. The name may come from the manifest, and whoever wrote that could say
 * with `../` where the private key is put.
 */
export function fileNameFault(name: string): string | undefined {
  if (isObjectName(name)) return undefined;
  return `"${name}" is no name for a Secret, and the file with the certificate would be named after it: lower-case letters, digits, "-" and "." only.`;
}

/** A Secret with a client certificate and its key, as a file of its own. */
export function secretManifest(
  name: string,
  namespace: string | undefined,
  pem: { readonly certificatePem: string; readonly keyPem: string },
): string {
  const manifest = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, ...(namespace !== undefined && { namespace }) },
    type: 'Opaque',
    data: {
      'client.crt': encodeBase64(normalizePem(pem.certificatePem)),
      'client.key': encodeBase64(normalizePem(pem.keyPem)),
    },
  };
  return `${blockLines(manifest, { step: 2, indentSequences: false }).join('\n')}\n`;
}
