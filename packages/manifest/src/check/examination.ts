import type { CertificateInspector } from '../certificate-inspector.ts';
import type { EditableText } from '../edit/editable-text.ts';
import type { SettlingFile } from '../edit/settle.ts';
import { type Endpoint, endpointFault, parseEndpoint } from '../endpoint.ts';
import { findings, type Problem } from '../finding.ts';
import type { ManifestForm } from '../form.ts';

/** What is known about the account beside the file. */
export interface CheckContext {
  /** What the file is; found out by itself when not given. */
  readonly form?: ManifestForm | undefined;
  /** The URL of the account's mTLS endpoint. Without it the file is only measured against itself. */
  readonly endpoint?: string | undefined;
  /** The account's mode: in STRICT a delegate without mTLS is an error. */
  readonly mode?: 'LOOSE' | 'STRICT' | undefined;
  readonly inspector?: CertificateInspector | undefined;
}

/** One delegate (or the whole file) under examination: the text, and what is wrong with it as it stands now. */
export interface Examination {
  /** One for all examinations of a text. */
  readonly file: SettlingFile;
  /** It is a delegate (or the upgrader of a config of its own), not the file. */
  readonly delegate: boolean;
  problems(): Problem[];
}

export type Examiner = (source: EditableText, context: CheckContext) => Examination[];

/** The endpoint that the context names, or else the one that the file names itself. */
export function contextEndpoint(context: CheckContext, inFile: string | undefined): Endpoint | undefined {
  if (context.endpoint !== undefined) return parseEndpoint(context.endpoint);
  return inFile === undefined || endpointFault(inFile) ? undefined : parseEndpoint(inFile);
}

/** Steps that were not taken count only where the way to mTLS was begun; mistakes and advice always. */
export function reported(problems: Iterable<Problem>, begun: boolean): Problem[] {
  return [...problems].filter(
    (problem) => begun || (findings[problem.code].kind !== 'step' && problem.code !== 'EXTERNAL_VALUE'),
  );
}

/** What is wrong with the manager's URL itself; a plain manager may be anything that is not a placeholder. */
export function* managerFault(value: string | undefined, at: Problem['at'], begun: boolean): Iterable<Problem> {
  const fault = value === undefined || value === '' ? undefined : endpointFault(value);
  const placeholder = value !== undefined && /PUT_YOUR_|<[A-Z]/.test(value);
  if (!fault || !(begun || placeholder)) return;
  yield {
    code: 'ENDPOINT_INVALID',
    at,
    message: `The manager's URL "${value}" cannot be used: ${fault}.`,
    remedy: 'Set it to the URL of the account’s mTLS endpoint.',
  };
}

/** A delegate that connects in plain TLS to an account that accepts mTLS only. */
export function* plainInStrict(
  context: CheckContext,
  begun: boolean,
  at: Problem['at'],
  name: string,
): Iterable<Problem> {
  if (context.mode !== 'STRICT' || begun) return;
  yield {
    code: 'PLAIN_ENDPOINT_STRICT',
    at,
    message: `"${name}" has no client certificate, and the account is STRICT: its connections are refused.`,
    remedy: 'Migrate this file to the mTLS endpoint.',
  };
}
