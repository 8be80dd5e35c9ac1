import { readdir } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { check, type DelegateDescription, type Finding } from '@sallyport/manifest';
import type { Environment } from './environment.ts';
import { describedFiles, type FileLook, type FileSource } from './files/file-source.ts';
import { machineFiles } from './files/machine-files.ts';
import { outsideReferences } from './manifest-references.ts';

/** A delegate trusts every CA file that is mounted there, without a variable that says so. */
const CA_BUNDLE = '/opt/harness-delegate/ca-bundle';

/** What a manifest says about one delegate, in the form in which `diagnose` takes it. */
export interface DescribedDelegate {
  readonly environment: Environment;
  readonly files: FileSource;
  readonly manifest: readonly Finding[];
  readonly sourceOf: (variable: string) => string | null;
}

/**
 * The set-up of one delegate of a manifest (`readManifest` tells which there are). What stands in Secrets and ConfigMaps of
 * the file stays in memory; what docker mounts is read where it lies, relative to `folder`. `elsewhere` is asked for
 * files that the manifest mounts but does not hold.
 */
export function describedDelegate(
  text: string,
  delegate: DelegateDescription,
  options: { readonly folder: string; readonly elsewhere?: FileSource | undefined },
): DescribedDelegate {
  const outside = outsideReferences(text, delegate.line);
  const inFile = describedFiles(
    delegate.files.filter(({ hostPath }) => hostPath === undefined),
    outside.mountedSecrets,
  );
  const mounts = delegate.files.flatMap(({ path, hostPath }) => (hostPath === undefined ? [] : [{ path, hostPath }]));
  const machine = machineFiles();
  const onHost = (path: string): string | null => {
    const mount = mounts.find((each) => path === each.path || path.startsWith(`${each.path.replace(/\/+$/, '')}/`));
    if (mount === undefined) return null;
    const below = path.slice(mount.path.replace(/\/+$/, '').length);
    return join(isAbsolute(mount.hostPath) ? '/' : options.folder, mount.hostPath, below);
  };
  const files: FileSource = {
    place: 'the manifest',
    async look(path) {
      const hostPath = onHost(path);
      if (path === CA_BUNDLE) return lookAtBundle(await bundleFiles(delegate, hostPath), (each) => files.look(each));
      if (hostPath !== null) return { ...(await machine.look(hostPath)), path };
      const look = await inFile.look(path);
      return look.text === null && options.elsewhere !== undefined ? options.elsewhere.look(path) : look;
    },
  };
  const hasBundle = delegate.files.some(({ path }) => isInBundle(path));
  const environment = { ...(hasBundle && { SALLYPORT_EXTRA_CA_FILE: CA_BUNDLE }), ...delegate.environment };
  return { environment, files, manifest: check(text), sourceOf: outside.sourceOf };
}

const isInBundle = (path: string): boolean => path === CA_BUNDLE || path.startsWith(`${CA_BUNDLE}/`);

/** The files of the CA folder: those that the manifest holds, or those that lie in the folder that docker mounts. */
async function bundleFiles({ files }: DelegateDescription, hostFolder: string | null): Promise<string[]> {
  const below = hostFolder === null ? [] : await readdir(hostFolder).catch(() => []);
  const held = files.map(({ path }) => path).filter((path) => path !== CA_BUNDLE && isInBundle(path));
  return [...new Set([...held, ...below.map((name) => `${CA_BUNDLE}/${name}`)])].sort();
}

/** All of them as one file; the first that cannot be read makes the whole unreadable. */
async function lookAtBundle(paths: readonly string[], look: (path: string) => Promise<FileLook>): Promise<FileLook> {
  const looks = await Promise.all(paths.map(look));
  const problem = looks.find((each) => each.problem !== null)?.problem ?? null;
  const text = problem === null ? looks.map((each) => each.text ?? '').join('\n') : null;
  return { path: CA_BUNDLE, text, problem, mode: null, links: [], isMountPoint: false };
}
