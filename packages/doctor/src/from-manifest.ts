import { isAbsolute, join } from 'node:path';
import { check, type DelegateDescription, type Finding } from '@sallyport/manifest';
import type { Environment } from './environment.ts';
import { describedFiles, type FileSource } from './files/file-source.ts';
import { machineFiles } from './files/machine-files.ts';
import { outsideReferences } from './manifest-references.ts';

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
      if (hostPath !== null) return { ...(await machine.look(hostPath)), path };
      const look = await inFile.look(path);
      return look.text === null && options.elsewhere !== undefined ? options.elsewhere.look(path) : look;
    },
  };
  return { environment: delegate.environment, files, manifest: check(text), sourceOf: outside.sourceOf };
}
