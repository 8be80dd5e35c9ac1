import { certificatePath, keyPath } from '../delegate-variables.ts';
import { shellQuote } from '../edit/shell-words.ts';
import { blockLines } from '../edit/yaml-emit.ts';
import { environment, proxyCredentials } from './environment.ts';
import type { Plan } from './generate-options.ts';
import { sizes } from './sizes.ts';

const caDirectory = '/opt/harness-delegate/ca-bundle';

/** The `docker run` commands of a delegate and, if asked for, its upgrader. A token that is not given is taken from the shell. */
export function dockerCommand(plan: Plan): string {
  const { cpu, memoryMi } = sizes[plan.size ?? 'LAPTOP'];
  const variables = { ...environment(plan, 'DOCKER'), ...proxyCredentials(plan) };
  const token = plan.tokens.hexBase64;
  const options = [
    `docker run -d --name ${plan.delegateName} --restart unless-stopped --stop-timeout 600`,
    `--cpus=${cpu} --memory=${memoryMi}m${plan.rootless ? '' : ' -u root'}`,
    ...Object.entries(variables).map(([name, value]) => `-e ${shellQuote(`${name}=${value}`)}`),
    token === undefined ? '-e DELEGATE_TOKEN' : `-e ${shellQuote(`DELEGATE_TOKEN=${token}`)}`,
    ...bindMounts(plan).map((mount) => `-v ${shellQuote(mount)}`),
    plan.image,
  ];
  return `${[options, ...upgraderRun(plan)].map((words) => `${words.join(' \\\n  ')}\n`).join('\n')}`;
}

function upgraderRun(plan: Plan): string[][] {
  const { upgrader } = plan;
  if (!upgrader) return [];
  const { environment: variables, volumes } = upgraderParts(plan, upgrader.schedule);
  const token = plan.tokens.upgraderHexBase64;
  return [
    [
      `docker run -d --name ${plan.delegateName}-upgrader --restart unless-stopped`,
      ...Object.entries(variables).map(([name, value]) => `-e ${shellQuote(`${name}=${value}`)}`),
      token === undefined ? '-e UPGRADER_TOKEN' : `-e ${shellQuote(`UPGRADER_TOKEN=${token}`)}`,
      ...volumes.map((mount) => `-v ${shellQuote(mount)}`),
      upgrader.image,
    ],
  ];
}

/** What an upgrader needs in docker: it is told in variables, and changes the delegate through docker's socket. */
function upgraderParts(plan: Plan, schedule = '0 */1 * * *') {
  return {
    environment: {
      ACCOUNT_ID: plan.accountId,
      MANAGER_HOST_AND_PORT: plan.connection.url,
      UPGRADER_WORKLOAD_NAME: plan.delegateName,
      SCHEDULE: schedule,
      ...(plan.mtls && {
        UPGRADER_CLIENT_CERTIFICATE_PATH: certificatePath,
        UPGRADER_CLIENT_CERTIFICATE_KEY_PATH: keyPath,
      }),
    },
    volumes: ['/var/run/docker.sock:/var/run/docker.sock', ...certificateMounts(plan)],
  };
}

/** A compose file with the delegate and, if asked for, its upgrader. */
export function composeFile(plan: Plan): string {
  const { replicas, cpu, memoryMi } = sizes[plan.size ?? 'LAPTOP'];
  const count = plan.replicas ?? (plan.size ? replicas : 1);
  const mounts = bindMounts(plan);
  const { upgrader } = plan;
  const delegate = {
    image: plan.image,
    restart: 'unless-stopped',
    stop_grace_period: '600s',
    ...(!plan.rootless && { user: 'root' }),
    deploy: { replicas: count, resources: { limits: { cpus: cpu, memory: `${memoryMi}M` } } },
    environment: {
      ...dollars({ ...environment(plan, 'DOCKER'), ...proxyCredentials(plan) }),
      DELEGATE_TOKEN: plan.tokens.hexBase64 ?? fromEnvironment('DELEGATE_TOKEN'),
    },
    ...(mounts.length > 0 && { volumes: mounts }),
  };
  const parts = upgraderParts(plan, upgrader?.schedule);
  const upgraderService = upgrader && {
    image: upgrader.image,
    restart: 'unless-stopped',
    environment: dollars(parts.environment),
    volumes: parts.volumes,
  };
  const services = {
    [plan.delegateName]: delegate,
    ...(upgraderService && {
      [`${plan.delegateName}-upgrader`]: {
        ...upgraderService,
        environment: {
          ...upgraderService.environment,
          UPGRADER_TOKEN: plan.tokens.upgraderHexBase64 ?? fromEnvironment('UPGRADER_TOKEN'),
        },
      },
    }),
  };
  return `${blockLines({ services }, { step: 2, indentSequences: true }).join('\n')}\n`;
}

function fromEnvironment(name: string): string {
  return `\${${name}:?set ${name} in the environment or in .env}`;
}

/** In a compose file a dollar sign begins a variable; two stand for one. */
function dollars(variables: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, value.replaceAll('$', '$$$$')]));
}

function bindMounts(plan: Plan): string[] {
  const files = certificateMounts(plan);
  return plan.extraCaPem === undefined ? files : [...files, `./ca-bundle:${caDirectory}:ro`];
}

function certificateMounts({ mtls }: Plan): string[] {
  if (mtls?.from !== 'files') return [];
  return [`${mtls.certificate}:${certificatePath}:ro`, `${mtls.key}:${keyPath}:ro`];
}
