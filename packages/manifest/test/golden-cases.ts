// Golden cases (only tests import this): every folder below golden/<operation>/ is a case, named by what it shows.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CertificateInspector } from '../src/certificate-inspector.ts';
import { check, fix } from '../src/check/check.ts';
import { generate } from '../src/generate/generate.ts';
import type { GenerateOptions } from '../src/generate/generate-options.ts';
import { ManifestError } from '../src/manifest-error.ts';
import { migrate } from '../src/migrate.ts';
import type { MigrateOptions } from '../src/migration.ts';
import { encodeBase64 } from '../src/pem.ts';

export const goldenRoot = join(import.meta.dirname, '..', 'golden');
export const operations = ['migrate', 'check', 'fix', 'generate'] as const;
export type Operation = (typeof operations)[number];

/** Stands for a certificate and a key wherever nobody reads them; made here, so that no key is in the repository. */
export const credentials = { certificatePem: pem('CERTIFICATE', 'certificate'), keyPem: pem('PRIVATE KEY', 'key') };

function pem(label: string, content: string): string {
  return `-----BEGIN ${label}-----\n${encodeBase64(content)}\n-----END ${label}-----\n`;
}

// In the files of a case these words stand for the base64 of the two.
const words = {
  'base64-of-the-certificate': encodeBase64(credentials.certificatePem),
  'base64-of-the-key': encodeBase64(credentials.keyPem),
} as const;

export interface GoldenCase {
  readonly operation: Operation;
  readonly name: string;
  readonly directory: string;
  readonly inputName: string | undefined;
  readonly input: string;
  readonly options: Readonly<Record<string, unknown>>;
}

export function goldenCases(operation: Operation): GoldenCase[] {
  const root = join(goldenRoot, operation);
  return readdirSync(root)
    .sort()
    .map((name) => {
      const directory = join(root, name);
      const inputName = readdirSync(directory).find((file) => file.startsWith('input.'));
      const input = inputName === undefined ? '' : filled(readFileSync(join(directory, inputName), 'utf8'));
      const optionsPath = join(directory, 'options.json');
      const options = existsSync(optionsPath) ? JSON.parse(readFileSync(optionsPath, 'utf8')) : {};
      return { operation, name, directory, inputName, input, options };
    });
}

/** The files that a case should hold, by name, as the code makes them now. */
export function outcome(golden: GoldenCase): Map<string, string> {
  const files = new Map<string, string>();
  try {
    for (const [name, text] of run(golden)) files.set(name, emptied(text));
  } catch (error) {
    if (!(error instanceof ManifestError)) throw error;
    files.set(
      'expected-error.txt',
      `${error.code}${error.line === undefined ? '' : ` line ${error.line}`}\n${error.message}\n`,
    );
  }
  return files;
}

export function migrateOptions({ options }: GoldenCase): MigrateOptions {
  const { certificate, inspector, ...rest } = options;
  return {
    endpoint: 'https://blue.agent.example.com',
    ...(certificate === true && { certificate: credentials }),
    ...(inspector !== undefined && { inspector: saying(inspector as ReturnType<CertificateInspector['inspect']>) }),
    ...rest,
  };
}

function* run(golden: GoldenCase): Iterable<[string, string]> {
  const { operation, input, inputName = '', options } = golden;
  const extension = inputName.slice('input'.length);
  if (operation === 'migrate') {
    const { text, changes, repaired, warnings, companions } = migrate(input, migrateOptions(golden));
    yield [`expected${extension}`, text];
    const report = [
      ...changes.map(({ line, what }) => `${line} ${what}`),
      ...repaired.map(({ line, code }) => `repaired ${line} ${code}`),
      ...warnings.map(({ line, code, message }) => `warning ${line} ${code} ${message}`),
      ...companions.map(({ path }) => `companion ${path}`),
    ];
    yield ['expected-report.txt', report.map((row) => `${row}\n`).join('')];
    for (const { path, text: companion } of companions) yield [`expected-${path}`, companion];
  } else if (operation === 'generate') {
    const { mtls, ...rest } = options as { mtls?: object };
    const source = mtls && 'from' in mtls && mtls.from === 'pem' ? { ...mtls, ...credentials } : mtls;
    const { files, notes } = generate({ ...rest, ...(source && { mtls: source }) } as unknown as GenerateOptions);
    for (const file of files) yield [`expected-${file.path.replaceAll('/', '-')}`, file.text];
    if (notes.length > 0) yield ['expected-notes.txt', notes.map((note) => `${note}\n`).join('')];
  } else {
    const { inspector, ...rest } = options;
    const context = {
      ...rest,
      ...(inspector !== undefined && { inspector: saying(inspector as ReturnType<CertificateInspector['inspect']>) }),
    };
    if (operation === 'check') {
      const rows = check(input, context).map(
        ({ line, column, severity, code, fixable, message, remedy }) =>
          `${line}:${column} ${severity} ${code}${fixable ? ' (fixable)' : ''}\n  ${message}\n  ${remedy}\n`,
      );
      yield ['expected-findings.txt', rows.join('')];
    } else {
      const { text, fixed, remaining } = fix(input, context);
      yield [`expected${extension}`, text];
      const rows = [
        ...fixed.map(({ line, code, what }) => `fixed ${line} ${code} ${what}\n`),
        ...remaining.map(({ line, code }) => `left ${line} ${code}\n`),
      ];
      yield ['expected-report.txt', rows.join('')];
    }
  }
}

/** An inspector that says the same about every certificate. */
function saying(report: ReturnType<CertificateInspector['inspect']>): CertificateInspector {
  return { inspect: () => report };
}

/** The Kubernetes manifests among the results of a case, as they would be applied. */
export function kubernetesResults({ directory }: GoldenCase): string[] {
  return readdirSync(directory)
    .filter((name) => /^expected.*\.(?:ya?ml|json)$/.test(name))
    .map((name) => filled(readFileSync(join(directory, name), 'utf8')))
    .filter((text) => /^\uFEFF?\s*(?:- |\{\s*)?"?apiVersion"?:/m.test(text))
    .filter((text) => !/^kind: Kustomization$/m.test(text)); // kustomize reads those, and no API server
}

function filled(text: string): string {
  return Object.entries(words).reduce((result, [word, value]) => result.replaceAll(word, value), text);
}

function emptied(text: string): string {
  return Object.entries(words).reduce((result, [word, value]) => result.replaceAll(value, word), text);
}
