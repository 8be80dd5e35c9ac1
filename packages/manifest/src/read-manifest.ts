import { interpolates, serviceMounts, serviceVariables } from './docker/compose-services.ts';
import { composeServices } from './docker/migrate-compose.ts';
import { runCommands } from './docker/run-command.ts';
import { EditableText } from './edit/editable-text.ts';
import type { YamlCursor } from './edit/yaml-cursor.ts';
import { YamlFile } from './edit/yaml-file.ts';
import { detectForm, type ManifestForm } from './form.ts';
import { helmCommands, knownValue, nameOf } from './helm/command.ts';
import { valuesOf } from './helm/values.ts';
import { mountedFiles } from './kubernetes/mounted-files.ts';
import { objectsOf } from './kubernetes/objects.ts';
import { certificatesOf } from './kubernetes/rules/certificate-content.ts';
import { environmentOf } from './kubernetes/variables.ts';
import { delegatesOf } from './kubernetes/workloads.ts';
import { upgraderConfigRoot } from './upgrader-config/migrate-config.ts';
import { refuseUnparsable } from './yaml-refusals.ts';

/** A delegate as its manifest describes it. */
export interface DelegateDescription {
  readonly name: string;
  readonly namespace: string | undefined;
  /** The line where its workload, service or command starts. */
  readonly line: number;
  readonly image: string | undefined;
  /** The variables whose values the file tells, tokens included: handle with care. */
  readonly environment: Readonly<Record<string, string>>;
  /** The files it finds: with their content (Secrets and ConfigMaps of the file), or with their path on the host (docker). */
  readonly files: readonly {
    readonly path: string;
    readonly content?: string | undefined;
    readonly hostPath?: string | undefined;
  }[];
}

export interface Manifest {
  readonly form: ManifestForm;
  readonly delegates: readonly DelegateDescription[];
}

/**
 * Reads what a manifest says about its delegates; the form is found out when not given.
 *
 * @throws ManifestError FORM_UNKNOWN or YAML_INVALID.
 */
export function readManifest(text: string, options: { readonly form?: ManifestForm | undefined } = {}): Manifest {
  const form = options.form ?? detectForm(text);
  const source = new EditableText(text);
  if (form === 'docker-command') return { form, delegates: fromRunCommands(source) };
  if (form === 'helm-command') return { form, delegates: fromHelmCommands(source) };
  const file = new YamlFile(source);
  refuseUnparsable(file);
  if (form === 'kubernetes') return { form, delegates: fromKubernetes(file) };
  if (form === 'compose') return { form, delegates: fromCompose(file) };
  if (form === 'helm-values') return { form, delegates: valuesOf(file).map((values) => fromValues(values, file)) };
  const root = upgraderConfigRoot(file);
  return { form, delegates: root ? [fromUpgraderConfig(root, file)] : [] };
}

/** A client certificate that stands in a Secret of a Kubernetes file. */
export interface EmbeddedCertificate {
  readonly line: number;
  readonly secretName: string;
  readonly certificatePem: string;
  readonly keyPem: string | undefined;
}

/** Every client certificate of a Kubernetes file, for callers that read certificates asynchronously before they `check`. */
export function certificatesIn(text: string): EmbeddedCertificate[] {
  const file = new YamlFile(new EditableText(text));
  return certificatesOf(objectsOf(file)).map(({ secret, certificate, key }) => ({
    line: lineOf(certificate.cursor, file),
    secretName: secret.name,
    certificatePem: certificate.value,
    keyPem: key?.value,
  }));
}

function fromKubernetes(file: YamlFile): DelegateDescription[] {
  const objects = objectsOf(file);
  return delegatesOf(objects).map((delegate) => ({
    name: delegate.object.name,
    namespace: delegate.object.namespace,
    line: lineOf(delegate.object.root, file),
    image: delegate.image,
    environment: environmentOf(delegate, objects),
    files: mountedFiles(delegate, objects),
  }));
}

function fromCompose(file: YamlFile): DelegateDescription[] {
  return composeServices(file)
    .filter((service) => service.role === 'delegate')
    .map(({ name, service, image }) => ({
      name,
      namespace: undefined,
      line: lineOf(service, file),
      image: image?.text,
      environment: known(
        serviceVariables(service).map((each) => [
          each.name,
          each.value === undefined || interpolates(each.value) ? undefined : each.value,
        ]),
      ),
      files: serviceMounts(service).map(({ source, target }) => ({ path: target, hostPath: source })),
    }));
}

function fromRunCommands(source: EditableText): DelegateDescription[] {
  return runCommands(source.text)
    .filter((run) => run.role === 'delegate')
    .map((run) => ({
      name: run.name,
      namespace: undefined,
      line: source.originalPosition(run.command.words[0]?.start ?? 0).line,
      image: run.image.value,
      environment: known(run.variables.map((each) => [each.name, each.word.expands ? undefined : each.value])),
      files: run.mounts.map((mount) => ({ path: mount.target, hostPath: mount.source })),
    }));
}

function fromHelmCommands(source: EditableText): DelegateDescription[] {
  return helmCommands(source.text).map((helm) => ({
    name: nameOf(helm),
    namespace: helm.namespace,
    line: source.originalPosition(helm.command.words[0]?.start ?? 0).line,
    image: knownValue(helm, 'delegateDockerImage'),
    environment: chartEnvironment((key) => knownValue(helm, key)),
    files: [],
  }));
}

function fromValues(values: YamlCursor, file: YamlFile): DelegateDescription {
  return {
    name: values.get('delegateName')?.text ?? '',
    namespace: undefined,
    line: lineOf(values, file),
    image: values.get('delegateDockerImage')?.text,
    environment: chartEnvironment((key) => values.at(...key.split('.'))?.text),
    files: [],
  };
}

/** What the chart makes of its values, as far as it concerns the connection. */
function chartEnvironment(value: (key: string) => string | undefined): Record<string, string> {
  const endpoint = value('managerEndpoint');
  const mtls = value('mTLS.secretName');
  return known([
    ['ACCOUNT_ID', value('accountId')],
    ['DELEGATE_NAME', value('delegateName')],
    ['DELEGATE_TOKEN', value('delegateToken')],
    ['MANAGER_HOST_AND_PORT', endpoint],
    ['LOG_STREAMING_SERVICE_URL', endpoint === undefined ? undefined : `${endpoint}/log-service/`],
    ['DELEGATE_CLIENT_CERTIFICATE_PATH', mtls ? '/etc/mtls/client.crt' : undefined],
    ['DELEGATE_CLIENT_CERTIFICATE_KEY_PATH', mtls ? '/etc/mtls/client.key' : undefined],
  ]);
}

function fromUpgraderConfig(root: YamlCursor, file: YamlFile): DelegateDescription {
  return {
    name: root.get('workloadName')?.text ?? '',
    namespace: root.get('namespace')?.text,
    line: lineOf(root, file),
    image: undefined,
    environment: known([
      ['ACCOUNT_ID', root.at('delegateConfig', 'accountId')?.text],
      ['MANAGER_HOST_AND_PORT', root.at('delegateConfig', 'managerHost')?.text],
      ['DELEGATE_CLIENT_CERTIFICATE_PATH', root.get('clientCertificateFilePath')?.text],
      ['DELEGATE_CLIENT_CERTIFICATE_KEY_PATH', root.get('clientCertificateKeyFilePath')?.text],
    ]),
    files: [],
  };
}

function known(pairs: readonly (readonly [string, string | undefined])[]): Record<string, string> {
  return Object.fromEntries(pairs.filter((pair): pair is readonly [string, string] => pair[1] !== undefined));
}

function lineOf(cursor: YamlCursor, file: YamlFile): number {
  return file.source.originalPosition(cursor.part.offsetInFile(cursor.keyOffset)).line;
}
