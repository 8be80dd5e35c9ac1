import { certificatePath, keyPath } from '../delegate-variables.ts';
import { blockLines } from '../edit/yaml-emit.ts';
import type { Plan } from './generate-options.ts';
import { containerSecurity, type Manifest, meta, mounts, podSecurity, secret, volumes } from './pod-parts.ts';

/** What keeps the delegate's image current: a CronJob with the rights it needs and no more. */
export function upgraderObjects(plan: Plan): Manifest[] {
  const { upgrader, delegateName, namespace } = plan;
  if (!upgrader) return [];
  const account = `${delegateName}-upgrader`;
  const token = plan.tokens.upgraderHexBase64;
  const tokenSecret = `${delegateName}-upgrader-token`;
  const config = `${delegateName}-upgrader-config`;
  const job = `${delegateName}-upgrader-job`;
  const verbs = ['get', 'patch'];
  const extra = mounts(plan, '/ca-bundle').volumeMounts ?? [];
  const source =
    token === undefined ? { env: [tokenReference(plan)] } : { envFrom: [{ secretRef: { name: tokenSecret } }] };
  return [
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata: meta(plan, account),
      rules: [
        { apiGroups: ['batch'], resources: ['cronjobs'], resourceNames: [job], verbs },
        { apiGroups: ['apps'], resources: ['deployments'], resourceNames: [delegateName], verbs },
      ],
    },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: meta(plan, account) },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: meta(plan, account),
      subjects: [{ kind: 'ServiceAccount', name: account, namespace }],
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: account },
    },
    ...(token === undefined ? [] : [secret(plan, tokenSecret, { UPGRADER_TOKEN: token })]),
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: meta(plan, config),
      data: { 'config.yaml': upgraderConfig(plan) },
    },
    {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: meta(plan, job),
      spec: {
        schedule: upgrader.schedule ?? '0 */1 * * *',
        concurrencyPolicy: 'Forbid',
        startingDeadlineSeconds: 20,
        jobTemplate: {
          spec: {
            template: {
              spec: {
                serviceAccountName: account,
                restartPolicy: 'Never',
                ...podSecurity(plan),
                containers: [
                  {
                    name: 'upgrader',
                    image: upgrader.image,
                    imagePullPolicy: 'Always',
                    securityContext: containerSecurity(plan),
                    ...source,
                    volumeMounts: [{ name: 'config-volume', mountPath: '/etc/config' }, ...extra],
                  },
                ],
                volumes: [{ name: 'config-volume', configMap: { name: config } }, ...(volumes(plan).volumes ?? [])],
              },
            },
          },
        },
      },
    },
  ];
}

/** Without a token of its own the upgrader signs in with the delegate's. */
function tokenReference(plan: Plan): Manifest {
  return { name: 'UPGRADER_TOKEN', valueFrom: { secretKeyRef: { name: plan.tokenSecretName, key: 'DELEGATE_TOKEN' } } };
}

/** The upgrader's config.yaml. */
export function upgraderConfig(plan: Plan): string {
  const { upgrader, proxy } = plan;
  const config = {
    mode: 'Delegate',
    dryRun: false,
    workloadName: plan.delegateName,
    namespace: plan.namespace,
    containerName: 'delegate',
    ...(upgrader?.registryMirror !== undefined && { registryMirror: upgrader.registryMirror }),
    ...(plan.mtls && { clientCertificateFilePath: certificatePath, clientCertificateKeyFilePath: keyPath }),
    ...(proxy && { proxyScheme: proxy.scheme, proxyHost: proxy.host, proxyPort: String(proxy.port) }),
    delegateConfig: { accountId: plan.accountId, managerHost: plan.connection.url },
  };
  return `${blockLines(config, { step: 2, indentSequences: false }).join('\n')}\n`;
}
