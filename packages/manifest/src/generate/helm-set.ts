import { shellQuote } from '../edit/shell-words.ts';
import { blockLines } from '../edit/yaml-emit.ts';
import { proxyCredentials, proxyVariables } from './environment.ts';
import type { Plan } from './generate-options.ts';
import { certificateSecret } from './pod-parts.ts';
import { sizes } from './sizes.ts';

/** The chart's values for a delegate. */
export function helmValues(plan: Plan): Record<string, unknown> {
  const { replicas, cpu, memoryMi } = sizes[plan.size ?? 'LAPTOP'];
  const { upgrader } = plan;
  const variables = ownVariables(plan);
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
    ...(plan.clusterPermission && { k8sPermissionsType: plan.clusterPermission }),
    ...(plan.mtls && { mTLS: { secretName: certificateSecret(plan) } }),
    upgrader: {
      enabled: upgrader !== undefined,
      ...(upgrader?.schedule !== undefined && { schedule: upgrader.schedule }),
      ...(upgrader?.registryMirror !== undefined && { registryMirror: upgrader.registryMirror }),
    },
    ...(variables.length > 0 && { custom_envs: variables }),
  };
}

/** Variables that win over what the chart derives from its values: for what it has no documented value of its own. */
function ownVariables(plan: Plan): { name: string; value: string }[] {
  const variables = {
    ...(plan.tags && plan.tags.length > 0 && { DELEGATE_TAGS: plan.tags.join(',') }),
    ...(plan.description !== undefined && { DELEGATE_DESCRIPTION: plan.description }),
    ...(plan.initScript !== undefined && { INIT_SCRIPT: plan.initScript }),
    ...proxyVariables(plan),
    ...proxyCredentials(plan),
  };
  return Object.entries(variables).map(([name, value]) => ({ name, value }));
}

export function helmValuesFile(plan: Plan): string {
  return `${blockLines(helmValues(plan), { step: 2, indentSequences: false }).join('\n')}\n`;
}

/** A `helm upgrade --install` command. */
export function helmCommand(plan: Plan): string {
  const settings = flatten(helmValues(plan), '');
  const assign = ([key, value]: [string, unknown]) =>
    Array.isArray(value)
      ? `--set-json ${shellQuote(`${key}=${JSON.stringify(value)}`)}`
      : `--set${typeof value === 'string' ? '-string' : ''} ${shellQuote(`${key}=${escaped(String(value))}`)}`;
  const options = [
    `helm upgrade --install ${plan.delegateName} harness-delegate-ng`,
    `--namespace ${plan.namespace}${plan.createNamespace === false ? '' : ' --create-namespace'}`,
    ...settings.map(assign),
  ];
  return `${options.join(' \\\n  ')}\n`;
}

function flatten(value: Readonly<Record<string, unknown>>, prefix: string): [string, unknown][] {
  return Object.entries(value).flatMap(([key, inner]): [string, unknown][] =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? flatten(inner as Record<string, unknown>, `${prefix}${key}.`)
      : [[prefix + key, inner]],
  );
}

/** In `--set` a comma ends a value. */
function escaped(value: string): string {
  return value.replaceAll(/[\\,{}]/g, '\\$&');
}
