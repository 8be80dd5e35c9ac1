import type { CertificateInspector } from './certificate-inspector.ts';
import type { FindingCode } from './finding.ts';
import type { ManifestForm } from './form.ts';
import type { ProjectScope } from './project-scope.ts';

export interface MigrateOptions extends ProjectScope {
  /** The URL of the account's mTLS endpoint, with its port unless 443: `https://blue.agent.example.com`. */
  readonly endpoint: string;
  /** Client certificate (a chain may follow the leaf) and private key, both PEM. They go into a Secret of the file. */
  readonly certificate?: { readonly certificatePem: string; readonly keyPem: string } | undefined;
  /** The name of a Secret that exists, or will exist, in the cluster; the file then gets no Secret. */
  readonly secretName?: string | undefined;
  /** Where certificate and key lie on the host of a docker or compose delegate. */
  readonly certificateFiles?: { readonly certificate: string; readonly key: string } | undefined;
  /** Which delegate, in a file of several: the Deployment's name, `namespace/name`, or DELEGATE_NAME. */
  readonly delegate?: string | undefined;
  /** The delegate runs CI builds: TI_SERVICE_URL is added where it is missing. */
  readonly continuousIntegration?: boolean | undefined;
  /** What the file is; found out by itself when not given. */
  readonly form?: ManifestForm | undefined;
  /** Reads the certificate. Without it neither key match nor the endpoint's verdict is checked. */
  readonly inspector?: CertificateInspector | undefined;
}

export interface Change {
  /** The line of the input, from 1. */
  readonly line: number;
  readonly what: string;
  readonly why: string;
}

/** A mistake that was in the input and is not in the result. */
export interface RepairedMistake extends Change {
  readonly code: FindingCode;
}

/** What the migration leaves to a person. */
export interface Warning {
  readonly code: FindingCode;
  readonly line: number;
  readonly message: string;
  readonly remedy: string;
}

/** A file that belongs to the result and cannot stand in the migrated text. */
export interface CompanionFile {
  readonly path: string;
  readonly text: string;
  readonly why: string;
}

export interface Migration {
  readonly form: ManifestForm;
  readonly text: string;
  /** Everything that was done, mistakes included, in the order of the input's lines. Empty when nothing had to change. */
  readonly changes: readonly Change[];
  readonly repaired: readonly RepairedMistake[];
  readonly warnings: readonly Warning[];
  readonly companions: readonly CompanionFile[];
}
