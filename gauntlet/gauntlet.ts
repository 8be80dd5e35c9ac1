import type { Made } from '../packages/trust/test/certificate-maker.ts';
import type { Tenant } from './tenants.ts';

/** A request that only an admitted client of the tenant may make, in the target's own protocol. */
export interface Demand {
  readonly method: string;
  readonly path: string;
  readonly headers: readonly string[];
  readonly body: string;
}

/** What a target knows beyond TLS; cases that need one are not applicable to the others. */
export type Ability = 'modes' | 'tokens' | 'database' | 'revocation lists' | 'denial';

/** A program that serves several tenants' mTLS endpoints, each with its own CA, on one address. */
export interface Target {
  readonly key: string;
  readonly version: string;
  /** Of the tenants' endpoints. */
  readonly port: number;
  /** The host that asks for no client certificate: on the same port where the target can do that. */
  readonly plain: { readonly port: number; readonly name: string };
  readonly abilities: ReadonlySet<Ability>;
  /** How many cases may run at once without one's change of trust disturbing another's connections. */
  readonly atOnce: number;
  nameOf(tenant: string): string;
  addTenant(id: string, authority: Made): Promise<void>;
  /** Resolves when the change is in force for new connections; rejects when the target refuses it. */
  setAuthorities(id: string, pem: string): Promise<void>;
  /** A change that the tools of the target would write out, but that no careful person makes. As `setAuthorities`. */
  setNoAuthorities(id: string): Promise<void>;
  removeTenant(id: string): Promise<void>;
  demand(tenant: string): Promise<Demand>;
  /** Whether these bytes from the server hold an answer that only the tenant's own clients may get. */
  admits(text: string, tenant: string): boolean;
  /** How the application behind it was told to call the client of the last demand; null when it can't be seen. */
  subjectSeen(tenant: string, text: string): Promise<string | null>;
  /** Opens a stream that outlives single requests; resolves with the bytes that ask for one. */
  streamDemand(tenant: string): Promise<Demand>;
  stop(): Promise<void>;
}

/** A target with the ability 'revocation lists'. */
export interface RevokingTarget extends Target {
  /** The PEM text of one CRL for each CA that issues for the tenant. As `setAuthorities`. */
  setRevocationLists(id: string, pem: string): Promise<void>;
}

/** Part of a certificate that clients are allowed by. */
export interface Identity {
  readonly type: 'DNS' | 'URI' | 'SUBJECT' | 'CERTIFICATE_SHA256';
  readonly value: string;
}

/** Abilities that only Sallyport has today, in its own terms. */
export interface AccountTarget extends RevokingTarget {
  setMode(id: string, mode: 'LOOSE' | 'STRICT'): Promise<void>;
  removeAccount(id: string): Promise<void>;
  /** The credentials of one account on the path of another, and other mixtures. */
  demandWith(accountIdOfPath: string, accountIdOfToken: string): Promise<Demand>;
  revokeTokens(id: string): Promise<void>;
  /** Refuses one certificate, named either way. */
  deny(
    id: string,
    certificate: { readonly fingerprint: string } | { readonly issuer: string; readonly serialNumber: string },
  ): Promise<void>;
  /** The whole set; empty: every certificate of the tenant's CAs. */
  setIdentities(id: string, identities: readonly Identity[]): Promise<void>;
  /** The tenant's delegate, which every demand is made for, comes with this certificate only. */
  pinDelegate(id: string, fingerprint: string): Promise<void>;
  /** Another process of the same program with a data folder of its own. */
  another(): Promise<
    AccountTarget & { readonly dataDirectory: string; restart(whileStopped?: () => void): Promise<void> }
  >;
}

export type Verdict = 'pass' | 'fail' | 'not applicable';

export interface Outcome {
  readonly verdict: Verdict;
  /** What was seen, in a few words. */
  readonly evidence: string;
}

/** Everything a case works with. */
export interface Arena {
  readonly target: Target;
  /** Whether cases that repeat an attack at every place do so, or at a sample of them. */
  readonly thorough: boolean;
  /** Two tenants that no case changes. */
  readonly a: Tenant;
  readonly b: Tenant;
  /** A CA that no tenant trusts. */
  readonly stranger: Made;
  /** A CA that the target's process finds among the system's roots. */
  readonly systemRoot: Made;
  /** A further tenant for one case, which may change its trust. */
  tenant(authority?: Made): Promise<Tenant>;
  /** A folder for the files of one case. */
  folder(): string;
}

export interface Case {
  readonly id: string;
  readonly group: string;
  readonly title: string;
  /** Who could do what, in two lines at most. */
  readonly attack: string;
  /** A public CVE, advisory or thread. */
  readonly taughtBy?: string;
  readonly expected: string;
  readonly needs?: readonly Ability[];
  run(arena: Arena): Promise<Outcome>;
}

export const pass = (evidence: string): Outcome => ({ verdict: 'pass', evidence });
export const fail = (evidence: string): Outcome => ({ verdict: 'fail', evidence });
export const notApplicable = (evidence: string): Outcome => ({ verdict: 'not applicable', evidence });
