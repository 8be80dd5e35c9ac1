import { certificateFile, keyFile } from '../delegate-variables.ts';
import { encodeBase64, normalizePem } from '../pem.ts';
import { environment, proxyCredentials } from './environment.ts';
import type { Plan } from './generate-options.ts';
import {
  caConfigMap,
  certificateSecret,
  containerSecurity,
  type Manifest,
  meta,
  mounts,
  podSecurity,
  secret,
  volumes,
} from './pod-parts.ts';
import { sizes } from './sizes.ts';
import { upgraderObjects } from './upgrader-set.ts';

/** The objects of a delegate in the order in which they must be applied: what pods wait for comes first. */
export function kubernetesSet(plan: Plan): Manifest[] {
  return [
    ...(plan.createNamespace === false
      ? []
      : [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: plan.namespace } }]),
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: meta(plan, plan.delegateName) },
    permission(plan),
    ...secrets(plan),
    ...certificate(plan),
    ...extraCa(plan),
    deployment(plan),
    ...upgraderObjects(plan),
  ];
}

function permission(plan: Plan): Manifest {
  const kind = plan.clusterPermission ?? 'NAMESPACE_ADMIN';
  const role = { CLUSTER_ADMIN: 'cluster-admin', CLUSTER_VIEWER: 'view', NAMESPACE_ADMIN: 'admin' }[kind];
  const clusterWide = kind !== 'NAMESPACE_ADMIN';
  const name = clusterWide ? `${plan.namespace}-${plan.delegateName}-${role}` : `${plan.delegateName}-${role}`;
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: clusterWide ? 'ClusterRoleBinding' : 'RoleBinding',
    metadata: clusterWide ? { name, labels: { 'harness.io/name': plan.delegateName } } : meta(plan, name),
    subjects: [{ kind: 'ServiceAccount', name: plan.delegateName, namespace: plan.namespace }],
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
  };
}

function secrets(plan: Plan): Manifest[] {
  const credentials = Object.entries(proxyCredentials(plan)).map(([key, value]) => [key, encodeBase64(value)]);
  const token = plan.tokens.hexBase64;
  return [
    ...(token === undefined ? [] : [secret(plan, tokenSecret(plan), { DELEGATE_TOKEN: token })]),
    ...(credentials.length === 0 ? [] : [secret(plan, `${plan.delegateName}-proxy`, Object.fromEntries(credentials))]),
  ];
}

function tokenSecret(plan: Plan): string {
  return plan.tokenSecretName ?? `${plan.delegateName}-account-token`;
}

function certificate(plan: Plan): Manifest[] {
  const { mtls } = plan;
  if (mtls?.from === 'pem') {
    const data = {
      [certificateFile]: encodeBase64(normalizePem(mtls.certificatePem)),
      [keyFile]: encodeBase64(normalizePem(mtls.keyPem)),
    };
    return [secret(plan, certificateSecret(plan), data)];
  }
  if (mtls?.from !== 'cert-manager') return [];
  const { issuer } = mtls;
  return [
    {
      apiVersion: 'cert-manager.io/v1',
      kind: 'Certificate',
      metadata: meta(plan, certificateSecret(plan)),
      spec: {
        secretName: certificateSecret(plan),
        commonName: mtls.commonName ?? plan.delegateName,
        dnsNames: [plan.delegateName],
        duration: mtls.duration ?? '2160h',
        renewBefore: mtls.renewBefore ?? '720h',
        // The Java delegate reads PKCS#8 RSA keys only.
        privateKey: { algorithm: 'RSA', size: 2048, encoding: 'PKCS8', rotationPolicy: 'Always' },
        usages: ['digital signature', 'client auth'],
        issuerRef: { name: issuer.name, kind: issuer.kind ?? 'Issuer', group: issuer.group ?? 'cert-manager.io' },
      },
    },
  ];
}

function extraCa(plan: Plan): Manifest[] {
  if (plan.extraCaPem === undefined) return [];
  const data = { 'ca.crt': normalizePem(plan.extraCaPem) };
  return [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: meta(plan, caConfigMap(plan)), data }];
}

function deployment(plan: Plan): Manifest {
  const { replicas, cpu, memoryMi } = sizes[plan.size ?? 'LAPTOP'];
  const labels = { 'harness.io/name': plan.delegateName };
  const memory = `${memoryMi}Mi`;
  const probe = { httpGet: { path: '/api/health', port: 3460, scheme: 'HTTP' } };
  const hasProxySecret = Object.keys(proxyCredentials(plan)).length > 0;
  const variables = Object.entries(environment(plan, 'KUBERNETES')).map(([name, value]) => ({ name, value }));
  const container = {
    name: 'delegate',
    image: plan.image,
    imagePullPolicy: 'Always',
    securityContext: containerSecurity(plan),
    ports: [{ containerPort: 8080 }],
    resources: { limits: { memory }, requests: { cpu, memory } },
    livenessProbe: { ...probe, initialDelaySeconds: 10, periodSeconds: 60, failureThreshold: 5 },
    startupProbe: { ...probe, initialDelaySeconds: 30, periodSeconds: 10, failureThreshold: 15 },
    envFrom: [
      { secretRef: { name: tokenSecret(plan) } },
      ...(hasProxySecret ? [{ secretRef: { name: `${plan.delegateName}-proxy` } }] : []),
    ],
    env: [...variables, { name: 'DELEGATE_NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } }],
    ...mounts(plan, '/opt/harness-delegate/ca-bundle'),
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: meta(plan, plan.delegateName),
    spec: {
      replicas: plan.replicas ?? replicas,
      minReadySeconds: 120,
      selector: { matchLabels: labels },
      template: {
        metadata: {
          labels,
          annotations: {
            'prometheus.io/scrape': 'true',
            'prometheus.io/port': '3460',
            'prometheus.io/path': '/api/metrics',
          },
        },
        spec: {
          serviceAccountName: plan.delegateName,
          terminationGracePeriodSeconds: 600,
          ...podSecurity(plan),
          containers: [container],
          ...volumes(plan),
        },
      },
    },
  };
}
