import { certificateFile, keyFile, mountDirectory } from '../delegate-variables.ts';
import type { Plan } from './generate-options.ts';

// What the delegate's pods and the upgrader's have in common.

export type Manifest = Readonly<Record<string, unknown>>;

const user = 1001;

export function meta(plan: Plan, name: string): Manifest {
  return { name, namespace: plan.namespace, labels: { 'harness.io/name': plan.delegateName } };
}

export function secret(plan: Plan, name: string, data: Readonly<Record<string, string>>): Manifest {
  return { apiVersion: 'v1', kind: 'Secret', metadata: meta(plan, name), type: 'Opaque', data };
}

export function certificateSecret(plan: Plan): string {
  return plan.mtls?.from === 'secret' ? plan.mtls.secretName : `${plan.delegateName}-client-certificate`;
}

export function caConfigMap(plan: Plan): string {
  return `${plan.delegateName}-ca-bundle`;
}

export function containerSecurity({ rootless }: Plan): Manifest {
  return rootless
    ? { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } }
    : { allowPrivilegeEscalation: false, runAsUser: 0 };
}

/** fsGroup makes the group of the certificate's files the one that the container runs in. */
export function podSecurity({ rootless }: Plan): Manifest {
  return rootless ? { securityContext: { runAsNonRoot: true, runAsUser: user, runAsGroup: user, fsGroup: user } } : {};
}

export function mounts(plan: Plan, caPath: string): { volumeMounts?: Manifest[] } {
  const list = [
    ...(plan.mtls ? [{ name: 'client-certificate', mountPath: mountDirectory, readOnly: true }] : []),
    ...(plan.extraCaPem === undefined ? [] : [{ name: 'ca-bundle', mountPath: caPath, readOnly: true }]),
  ];
  return list.length === 0 ? {} : { volumeMounts: list };
}

export function volumes(plan: Plan): { volumes?: Manifest[] } {
  const items = [
    { key: 'tls.crt', path: certificateFile },
    { key: 'tls.key', path: keyFile },
  ];
  const list = [
    ...(plan.mtls
      ? [
          {
            name: 'client-certificate',
            secret: {
              secretName: certificateSecret(plan),
              defaultMode: plan.rootless ? 0o440 : 0o400,
              ...(plan.mtls.from === 'cert-manager' && { items }),
            },
          },
        ]
      : []),
    ...(plan.extraCaPem === undefined ? [] : [{ name: 'ca-bundle', configMap: { name: caConfigMap(plan) } }]),
  ];
  return list.length === 0 ? {} : { volumes: list };
}
