/** What is known about one file that the environment names. */
export interface FileLook {
  /** As the environment names it. */
  readonly path: string;
  readonly text: string | null;
  /** Why there is no text, and what to do. */
  readonly problem: { readonly what: string; readonly remedy: string } | null;
  /** Permission bits; null where they say nothing (a manifest's file). */
  readonly mode: number | null;
  /** Where symbolic links lead, the first hop first, as they are written. */
  readonly links: readonly string[];
  /** The file is mounted by itself, over the folder's own entry: `subPath`, or one bind mount. */
  readonly isMountPoint: boolean;
}

/** Where the files of a delegate are looked at: this machine, a folder that stands for its root, a manifest. */
export interface FileSource {
  /** How the place is called in messages. */
  readonly place: string;
  /** Never rejects: what is wrong is part of the look. */
  look(path: string): Promise<FileLook>;
}

/**
 * The files that a manifest describes, in memory: a key out of a Secret is never written anywhere. `secretsOutside` are
 * those that it mounts and does not hold.
 */
export function describedFiles(
  files: readonly { readonly path: string; readonly content?: string | undefined }[],
  secretsOutside: readonly string[] = [],
): FileSource {
  const known = new Map(files.map(({ path, content }) => [path, content]));
  return {
    place: 'the manifest',
    look: async (path) => {
      const text = known.get(path) ?? null;
      return {
        path,
        text,
        problem: text === null ? missing(path, known.has(path), secretsOutside) : null,
        mode: null,
        links: [],
        isMountPoint: false,
      };
    },
  };
}

function missing(path: string, mounted: boolean, secretsOutside: readonly string[]): { what: string; remedy: string } {
  if (mounted) {
    return {
      what: `The manifest mounts ${path}, but what it holds is not in the manifest.`,
      remedy: 'Add the Secret to the file, or give a folder that holds the files with --root.',
    };
  }
  if (secretsOutside.length > 0) {
    const names = secretsOutside.map((name) => `the Secret ${name}`).join(' and ');
    return {
      what: `The manifest mounts nothing at ${path} that it holds: it refers to ${names}, which ${secretsOutside.length > 1 ? 'are' : 'is'} not in the file.`,
      remedy:
        'Add the Secret to the file ("kubectl get secret NAME -o yaml"), or give a folder that holds the files with --root.',
    };
  }
  return {
    what: `The manifest mounts nothing at ${path}.`,
    remedy: 'Mount the Secret of the client certificate there: "sallyport manifest migrate" does it.',
  };
}
