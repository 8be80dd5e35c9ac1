import { blockLines } from '../edit/yaml-emit.ts';
import { encodeBase64, normalizePem } from '../pem.ts';

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
