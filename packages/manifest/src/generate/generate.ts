import type { CertificateInspector } from '../certificate-inspector.ts';
import { refuseCertificate } from '../credentials.ts';
import { blockLines } from '../edit/yaml-emit.ts';
import { secretManifest } from '../kubernetes/secret-manifest.ts';
import { composeFile, dockerCommand } from './docker-set.ts';
import { type GenerateOptions, type Plan, plan as planFor } from './generate-options.ts';
import { helmCommand, helmValuesFile } from './helm-set.ts';
import { kubernetesSet } from './kubernetes-set.ts';
import { certificateSecret } from './pod-parts.ts';
import { upgraderConfig } from './upgrader-set.ts';

export interface GeneratedFile {
  readonly path: string;
  readonly text: string;
  /** It holds a token or a private key: write it for its owner only. */
  readonly confidential: boolean;
}

export interface Generated {
  /** The file asked for, and what it needs beside it, in the order in which they are used. */
  readonly files: readonly GeneratedFile[];
  /** What to know or do before using them. */
  readonly notes: readonly string[];
}

/**
 * A complete set for a delegate, ready to apply. No token, key or registry is made up: what the caller does not give is
 * referred to by name.
 *
 * @throws ManifestError for options that cannot work, naming the one that is wrong.
 */
export function generate(options: GenerateOptions, inspector?: CertificateInspector): Generated {
  const plan = planFor(options);
  if (plan.mtls?.from === 'pem') refuseCertificate(plan.mtls, inspector);
  const known = notes(plan);
  const { path, text } = mainFile(plan);
  const main = { path, text: `${heading(plan, known)}${text}`, confidential: confidential(plan) };
  return { files: [...beside(plan), main], notes: known };
}

function mainFile(plan: Plan): { path: string; text: string } {
  switch (plan.form) {
    case 'kubernetes':
      return { path: 'harness-delegate.yaml', text: documents(plan) };
    case 'helm-values':
      return { path: 'harness-delegate-values.yaml', text: helmValuesFile(plan) };
    case 'helm-command':
      return { path: 'helm-upgrade.sh', text: helmCommand(plan) };
    case 'docker-command':
      return { path: 'docker-run.sh', text: dockerCommand(plan) };
    case 'compose':
      return { path: 'docker-compose.yaml', text: composeFile(plan) };
    case 'upgrader-config':
      return { path: 'config.yaml', text: upgraderConfig(plan) };
  }
}

/** The notes stand in the file too: who gets it by download, or from a colleague, sees nothing else. */
function heading({ form, delegateName, accountId }: Plan, known: readonly string[]): string {
  const apply = form === 'kubernetes' ? ' Apply it with: kubectl apply -f FILE' : '';
  const lines = [`Delegate ${delegateName} of the account ${accountId}.${apply}`, ...known];
  return lines.map((line) => `# ${line}\n`).join('');
}

function documents(plan: Plan): string {
  const texts = kubernetesSet(plan).map((object) => blockLines(object, { step: 2, indentSequences: false }).join('\n'));
  return `${texts.join('\n---\n')}\n`;
}

function confidential(plan: Plan): boolean {
  return (
    plan.form !== 'upgrader-config' &&
    (plan.token !== undefined || plan.mtls?.from === 'pem' || plan.proxy?.password !== undefined)
  );
}

/** The chart takes its certificate from a Secret that it does not make; docker takes the CA bundle from a directory. */
function beside(plan: Plan): GeneratedFile[] {
  const helm = plan.form === 'helm-values' || plan.form === 'helm-command';
  const docker = plan.form === 'docker-command' || plan.form === 'compose';
  const name = certificateSecret(plan);
  return [
    ...(helm && plan.mtls?.from === 'pem'
      ? [{ path: `${name}.yaml`, text: secretManifest(name, plan.namespace, plan.mtls), confidential: true }]
      : []),
    ...(docker && plan.extraCaPem !== undefined
      ? [{ path: 'ca-bundle/ca.crt', text: plan.extraCaPem, confidential: false }]
      : []),
  ];
}

function notes(plan: Plan): string[] {
  const { mtls, form } = plan;
  const helm = form === 'helm-values' || form === 'helm-command';
  const docker = form === 'docker-command' || form === 'compose';
  return [
    ...(mtls?.from === 'secret'
      ? [
          `The Secret "${mtls.secretName}" must exist in the namespace "${plan.namespace}" first: kubectl create secret generic ${mtls.secretName} -n ${plan.namespace} --from-file=client.crt --from-file=client.key`,
        ]
      : []),
    ...(mtls?.from === 'cert-manager'
      ? ['cert-manager must run in the cluster, and its issuer must sign with a CA of the endpoint’s bundle.']
      : []),
    ...(helm && mtls?.from === 'pem' ? [`Apply ${certificateSecret(plan)}.yaml before "helm upgrade".`] : []),
    ...(helm && plan.upgrader
      ? ['The upgrader’s image is the one that the chart names: it is not part of these values.']
      : []),
    ...(helm && plan.extraCaPem !== undefined
      ? ['The CA bundle is not part of these values: give it to the chart as a shared certificate Secret.']
      : []),
    ...(docker && mtls
      ? [
          'A file mounted by itself is not seen again when it is replaced: restart the delegate after renewing the certificate.',
        ]
      : []),
    ...(docker && mtls && plan.upgrader
      ? [
          'The upgrader of Sallyport takes the client certificate from these variables; one of another make has none in Docker, and a STRICT account refuses it.',
        ]
      : []),
    ...(docker && plan.token === undefined
      ? [`Set DELEGATE_TOKEN${plan.upgrader ? ' and UPGRADER_TOKEN' : ''} in the environment before you run it.`]
      : []),
    ...(plan.upgrader && plan.proxy?.user !== undefined && !docker
      ? ['The upgrader gets the proxy without its user and password: they would stand in a ConfigMap.']
      : []),
  ];
}
