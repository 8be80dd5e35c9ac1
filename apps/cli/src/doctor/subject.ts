import { dirname } from 'node:path';
import type { DoctorInput, FileSource, FileUser } from '@sallyport/doctor';
import type { ManifestError } from '@sallyport/manifest';
import { readLocalText } from '../cert/local-files.ts';
import { type CliError, usageError } from '../errors.ts';

export interface SubjectOptions {
  readonly fromManifest?: string;
  readonly delegate?: string;
  readonly envFile?: string;
  readonly root?: string;
  readonly user?: FileUser;
}

type Variables = Readonly<Record<string, string | undefined>>;

/** Whose set-up is looked at: this machine's own, one out of files, or one out of a manifest. @throws CliError */
export async function subjectOf(
  options: SubjectOptions,
  own: Variables,
): Promise<Pick<DoctorInput, 'environment' | 'files' | 'manifest'>> {
  const { machineFiles } = await import('@sallyport/doctor');
  const { root, user } = options;
  const given = options.envFile === undefined ? undefined : await readVariables(options.envFile);
  if (options.fromManifest !== undefined) {
    const elsewhere = root === undefined ? undefined : machineFiles({ root, user });
    return fromManifest(options.fromManifest, options.delegate, given ?? {}, elsewhere);
  }
  if (options.delegate !== undefined) {
    throw usageError('--delegate needs --from-manifest.', 'Name the manifest that holds the delegate.');
  }
  return { environment: given ?? own, files: machineFiles({ root, user }) };
}

async function fromManifest(
  file: string,
  name: string | undefined,
  given: Variables,
  elsewhere: FileSource | undefined,
): Promise<Pick<DoctorInput, 'environment' | 'files' | 'manifest'>> {
  const [{ describedDelegate }, { ManifestError, readManifest }] = await Promise.all([
    import('@sallyport/doctor'),
    import('@sallyport/manifest'),
  ]);
  const text = await readLocalText(file);
  const unreadable = (error: unknown): unknown => (error instanceof ManifestError ? noManifest(file, error) : error);
  const { delegates } = attempt(() => readManifest(text), unreadable);
  const named = name === undefined ? delegates : delegates.filter((delegate) => delegate.name === name);
  const [delegate, ...others] = named;
  const names = delegates.map((each) => each.name).join(', ');
  if (delegate === undefined) {
    const what = name === undefined ? `${file} describes no delegate.` : `${file} describes no delegate "${name}".`;
    throw usageError(what, names === '' ? 'Name a manifest with a delegate.' : `It describes: ${names}.`);
  }
  if (others.length > 0) throw usageError(`${file} describes several delegates.`, `Give --delegate: ${names}.`);
  const described = attempt(() => describedDelegate(text, delegate, { folder: dirname(file), elsewhere }), unreadable);
  return { ...described, environment: { ...described.environment, ...given } };
}

function attempt<T>(work: () => T, explain: (error: unknown) => unknown): T {
  try {
    return work();
  } catch (error) {
    throw explain(error);
  }
}

function noManifest(file: string, { code, line, column, message }: ManifestError): CliError {
  const place = line === undefined ? file : `${file}:${line}:${column ?? 1}`;
  const detail = `${code} ${place}`;
  if (code === 'FORM_UNKNOWN') {
    const forms = 'a Kubernetes manifest, Helm values, a helm or docker run command, or a compose file';
    const remedy = `Name ${forms} with --from-manifest, or give the environment with --env-file.`;
    return usageError(`${file} is no manifest of a delegate in a form that is known here.`, remedy, detail);
  }
  return usageError(`${place}: ${message}`, 'Mend it there, and run the doctor again.', detail);
}

/** `NAME=value` lines, as `env` prints them and `docker run --env-file` reads them: nothing is unquoted. */
async function readVariables(file: string): Promise<Record<string, string>> {
  const variables: Record<string, string> = {};
  for (const line of (await readLocalText(file)).split(/\r?\n/)) {
    const [, name, value = ''] = /^(?:export\s+)?([A-Za-z_]\w*)=(.*)$/.exec(line) ?? [];
    if (name !== undefined) variables[name] = value;
  }
  if (Object.keys(variables).length === 0) {
    throw usageError(`${file} holds no NAME=value line.`, 'Write it with "kubectl exec POD -- env > FILE".');
  }
  return variables;
}
