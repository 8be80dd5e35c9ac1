import { shellQuote } from '../edit/shell-words.ts';
import { blockLines } from '../edit/yaml-emit.ts';
import type { Plan } from './generate-options.ts';
import { certificateSecret } from './kubernetes-set.ts';
import { sizes } from './sizes.ts';

/** The chart's values for a delegate. */
export function helmValues(plan: Plan): Record<string, unknown> {
  const { replicas, cpu, memoryMi } = sizes[plan.size ?? 'LAPTOP'];
  const { upgrader, proxy } = plan;
  return {
    accountId: plan.accountId,
    delegateName: plan.delegateName,
    ...(plan.tokens.hexBase64 === undefined
      ? { existingDelegateToken: plan.tokenSecretName }
      : { delegateToken: plan.tokens.hexBase64 }),
    managerEndpoint: plan.connection.url,
    delegateDockerImage: plan.image,
    replicas: plan.replicas ?? replicas,
    cpu: Number(cpu),
    memory: memoryMi,
    ...(plan.tags && { tags: plan.tags.join(',') }),
    ...(plan.description !== undefined && { description: plan.description }),
    ...(plan.initScript !== undefined && { initScript: plan.initScript }),
    ...(plan.clusterPermission && { k8sPermissionsType: plan.clusterPermission }),
    ...(proxy && {
      proxyScheme: proxy.scheme,
      proxyHost: proxy.host,
      proxyPort: String(proxy.port),
      ...(proxy.user !== undefined && { proxyUser: proxy.user }),
      ...(proxy.password !== undefined && { proxyPassword: proxy.password }),
      ...(proxy.noProxy !== undefined && { noProxy: proxy.noProxy }),
    }),
    ...(plan.mtls && { mTLS: { secretName: certificateSecret(plan) } }),
    upgrader: {
      enabled: upgrader !== undefined,
      ...(upgrader && { upgraderDockerImage: upgrader.image }),
      ...(upgrader?.schedule !== undefined && { schedule: upgrader.schedule }),
      ...(upgrader?.registryMirror !== undefined && { registryMirror: upgrader.registryMirror }),
    },
  };
}

export function helmValuesFile(plan: Plan): string {
  return `${blockLines(helmValues(plan), { step: 2, indentSequences: false }).join('\n')}\n`;
}

/** A `helm upgrade --install` command; `chart` is where the reader has the chart. */
export function helmCommand(plan: Plan): string {
  const settings = flatten(helmValues(plan), '');
  const options = [
    `helm upgrade --install ${plan.delegateName} harness-delegate-ng`,
    `--namespace ${plan.namespace}${plan.createNamespace === false ? '' : ' --create-namespace'}`,
    ...settings.map(
      ([key, value]) =>
        `--set${typeof value === 'string' ? '-string' : ''} ${shellQuote(`${key}=${escaped(String(value))}`)}`,
    ),
  ];
  return `${options.join(' \\\n  ')}\n`;
}

function flatten(value: Readonly<Record<string, unknown>>, prefix: string): [string, unknown][] {
  return Object.entries(value).flatMap(([key, inner]): [string, unknown][] =>
    inner !== null && typeof inner === 'object'
      ? flatten(inner as Record<string, unknown>, `${prefix}${key}.`)
      : [[prefix + key, inner]],
  );
}

/** In `--set` a comma ends a value. */
function escaped(value: string): string {
  return value.replaceAll(/[\\,{}]/g, '\\$&');
}
