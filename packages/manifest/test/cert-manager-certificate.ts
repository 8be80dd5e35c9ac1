// The fields of cert-manager's Certificate (cert-manager.io/v1) that a delegate's may have, by its public API reference:
// the package with its schema lets unknown fields and any duration pass.
import { isMap, type Plain, type PlainMap } from './plain-objects.ts';

const duration = (value: Plain) => typeof value === 'string' && /^(?:\d+(?:h|m|s))+$/.test(value);
const text = (value: Plain) => typeof value === 'string' && value !== '';
const oneOf =
  (...values: readonly Plain[]) =>
  (value: Plain) =>
    values.includes(value);
const usages = [
  ...['signing', 'digital signature', 'content commitment', 'key encipherment', 'key agreement', 'data encipherment'],
  ...['cert sign', 'crl sign', 'encipher only', 'decipher only', 'any', 'server auth', 'client auth', 'code signing'],
  ...['email protection', 's/mime', 'ipsec end system', 'ipsec tunnel', 'ipsec user', 'timestamping', 'ocsp signing'],
  ...['microsoft sgc', 'netscape sgc'],
];

type Rules = { readonly [field: string]: ((value: Plain) => boolean) | Rules };

const rules: Rules = {
  apiVersion: oneOf('cert-manager.io/v1'),
  kind: oneOf('Certificate'),
  metadata: { name: text, namespace: text, labels: isMap },
  spec: {
    secretName: text,
    commonName: (value) => text(value) && String(value).length <= 64,
    dnsNames: (value) => Array.isArray(value) && value.every((name) => /^[a-z0-9][a-z0-9.-]*$/.test(String(name))),
    duration,
    renewBefore: duration,
    privateKey: {
      algorithm: oneOf('RSA', 'ECDSA', 'Ed25519'),
      size: oneOf(2048, 3072, 4096, 8192, 256, 384, 521),
      encoding: oneOf('PKCS1', 'PKCS8'),
      rotationPolicy: oneOf('Never', 'Always'),
    },
    usages: (value) => Array.isArray(value) && value.every((usage) => usages.includes(String(usage))),
    issuerRef: { name: text, kind: text, group: text },
  },
};

const required = [['spec', 'secretName'] as const, ['spec', 'issuerRef'] as const, ['metadata', 'name'] as const];

export function certificateProblems(object: PlainMap): string[] {
  const missing = required.filter(([owner, field]) => !(isMap(object[owner]) && field in object[owner]));
  return [
    ...missing.map((path) => `Certificate.${path.join('.')} is missing`),
    ...broken(object, rules, 'Certificate'),
  ];
}

function broken(object: PlainMap, fields: Rules, path: string): string[] {
  return Object.entries(object).flatMap(([key, value]) => {
    const rule = fields[key];
    const at = `${path}.${key}`;
    if (rule === undefined) return [`${at} is unknown`];
    if (typeof rule === 'function') return rule(value) ? [] : [`${at} is ${JSON.stringify(value)}`];
    return isMap(value) ? broken(value, rule, at) : [`${at} is no map`];
  });
}
