import { type FindingCode, findings } from '../finding.ts';
import type { Finding } from './check.ts';

/** The part of SARIF 2.1.0 (OASIS) that code-scanning services read. */
export interface SarifLog {
  readonly $schema: string;
  readonly version: '2.1.0';
  readonly runs: readonly SarifRun[];
}

export interface SarifRun {
  readonly tool: {
    readonly driver: { readonly name: string; readonly version?: string; readonly rules: readonly SarifRule[] };
  };
  readonly results: readonly SarifResult[];
}

export interface SarifRule {
  readonly id: FindingCode;
  readonly shortDescription: { readonly text: string };
  readonly defaultConfiguration: { readonly level: 'error' | 'warning' | 'note' };
}

export interface SarifResult {
  readonly ruleId: FindingCode;
  readonly ruleIndex: number;
  readonly level: 'error' | 'warning' | 'note';
  readonly message: { readonly text: string };
  readonly locations: readonly {
    readonly physicalLocation: {
      readonly artifactLocation: { readonly uri: string };
      readonly region: { readonly startLine: number; readonly startColumn: number };
    };
  }[];
}

/** Findings of one file as a SARIF log. `path` is relative to the repository, with forward slashes. */
export function toSarif(found: readonly Finding[], path: string, toolVersion?: string): SarifLog {
  const codes = [...new Set(found.map((finding) => finding.code))].sort();
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'sallyport manifest check',
            ...(toolVersion !== undefined && { version: toolVersion }),
            rules: codes.map((id) => ({
              id,
              shortDescription: { text: findings[id].title },
              defaultConfiguration: { level: findings[id].severity },
            })),
          },
        },
        results: found.map(({ code, severity, line, column, message, remedy }) => ({
          ruleId: code,
          ruleIndex: codes.indexOf(code),
          level: severity,
          message: { text: `${message} ${remedy}` },
          locations: [
            {
              physicalLocation: {
                artifactLocation: { uri: encodeURI(path) },
                region: { startLine: line, startColumn: column },
              },
            },
          ],
        })),
      },
    ],
  };
}
