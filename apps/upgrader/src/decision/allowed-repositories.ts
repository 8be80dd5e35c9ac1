import { type ImageReference, parseImageReference, parseRepository, repositoryOf } from '@sallyport/protocol';

/** An entry of allowedRepositories: one repository, or everything below a folder or a registry. */
export type AllowedRepository = { readonly repository: string } | { readonly below: string };

/**
 * Reads an entry: `harness/delegate`, `REGISTRY/PATH/*` or `REGISTRY/*`. The first part is a registry when it has a dot or a
 * port, or is localhost, as in every image reference. Null when it is none of these; a registry alone is no repository.
 */
export function parseAllowedRepository(entry: string): AllowedRepository | null {
  const isFolder = entry.endsWith('/*');
  const name = isFolder ? entry.slice(0, -2) : entry;
  if (isRegistryAlone(name))
    return isFolder && parseImageReference(`${name}/any`) ? { below: folder(`${name}/any`) } : null;
  if (parseRepository(name) === null) return null;
  return isFolder ? { below: folder(`${name}/any`) } : { repository: repository(name) };
}

export const isRegistryAlone = (name: string): boolean =>
  !name.includes('/') && (/[.:]/.test(name) || name === 'localhost');

export function isListed(image: ImageReference, entries: readonly string[]): boolean {
  const name = repositoryOf(image);
  return entries.map(parseAllowedRepository).some((entry) => {
    if (entry === null) return false;
    return 'below' in entry ? name.startsWith(entry.below) : name === entry.repository;
  });
}

function repository(name: string): string {
  const parsed = parseRepository(name);
  return parsed === null ? '' : repositoryOf(parsed);
}

/** Written with the slash at its end. Of Docker Hub itself everything: there `library/` is implied for images only. */
function folder(nameBelow: string): string {
  const parsed = parseRepository(nameBelow);
  if (parsed === null) return '/';
  const whole = repositoryOf(parsed);
  return parsed.path === 'any' ? `${whole.split('/')[0]}/` : whole.slice(0, -'any'.length);
}
