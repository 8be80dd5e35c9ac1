import { contentForPath, holdsFileContent } from '@sallyport/client';
import { delegateTokensIn } from '@sallyport/protocol';

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads variables and collects what is wrong with them, all of it, each by name. Empty counts as unset, because manifests
 * write `""`. Values of secrets are never repeated in a problem.
 */
export class EnvironmentReader {
  readonly problems: string[] = [];
  readonly #environment: Environment;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  text(name: string): string | null {
    const value = this.#environment[name]?.trim();
    if (value === undefined || value === '') return null;
    if (!value.startsWith('PUT_YOUR_')) return value;
    this.problem(name, `still holds the placeholder of the manifest (${value}).`);
    return null;
  }

  /** A path. Content in its place is a problem, and never shown: it may be a private key. */
  path(name: string): string | null {
    const value = this.text(name);
    if (value === null || !holdsFileContent(value)) return value;
    const { what, remedy } = contentForPath(name, value);
    this.problem(name, `${what.slice(name.length + 1)} ${remedy}`);
    return null;
  }

  required(name: string, what: string): string {
    const before = this.problems.length;
    const value = this.text(name);
    if (value === null && this.problems.length === before) this.problem(name, `is not set. Set it to ${what}.`);
    return value ?? '';
  }

  integer(name: string, fallback: number, lowest: number, highest: number): number {
    const text = this.text(name);
    if (text === null) return fallback;
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= lowest && value <= highest) return value;
    this.problem(name, `"${text}" is not a whole number from ${lowest} to ${highest}.`);
    return fallback;
  }

  boolean(name: string, fallback: boolean): boolean {
    const text = this.text(name)?.toLowerCase();
    if (text === undefined) return fallback;
    if (text === 'true' || text === 'false') return text === 'true';
    this.problem(name, `"${text}" is neither true nor false.`);
    return fallback;
  }

  oneOf<T extends string>(name: string, fallback: T, values: readonly T[]): T {
    const text = this.text(name);
    if (text === null) return fallback;
    const value = values.find((candidate) => candidate === text.toLowerCase());
    if (value === undefined) this.problem(name, `"${text}" is none of ${values.join(', ')}.`);
    return value ?? fallback;
  }

  /** An https URL without a trailing slash. */
  httpsUrl(name: string): string | null {
    const text = this.text(name);
    if (text === null) return null;
    const url = URL.parse(text);
    if (url === null || url.protocol !== 'https:') {
      this.problem(
        name,
        'is not an https:// URL. Give scheme, host and port, such as https://acme.agent.example.com:8443.',
      );
      return null;
    }
    if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
      this.problem(
        name,
        'must not hold a user, a password, a query or a fragment. Give scheme, host, port and path only.',
      );
      return null;
    }
    return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
  }

  problem(name: string, what: string): void {
    // A token that went into the wrong variable would be in the log with its value.
    const shown = delegateTokensIn(what).reduce((left, token) => left.replaceAll(token, '[secret]'), what);
    this.problems.push(`${name}: ${shown}`);
  }
}
