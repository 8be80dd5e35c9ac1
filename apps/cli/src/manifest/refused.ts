import { ManifestError, type ManifestErrorCode } from '@sallyport/manifest';
import { CliError, usageError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';

/** Runs a step of the manifest library; a refusal comes out as the error that ends the command, with file and line. */
export function refusing<T>(file: string | undefined, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof ManifestError)) throw error;
    const { code, line, column, message } = error;
    if (line === undefined && (code === 'OPTION_INVALID' || code === 'ENDPOINT_INVALID'))
      throw usageError(message, 'Mend the option and run the command again.', code);
    const place = file === undefined || line === undefined ? undefined : `${file}:${line}:${column ?? 1}`;
    throw new CliError(place === undefined ? message : `line ${line}: ${message}`, {
      code,
      exit: EXIT.failure,
      remedy: `Nothing was written. ${remedyFor(code, line)}`,
      ...(place === undefined ? {} : { detail: place }),
    });
  }
}

function remedyFor(code: ManifestErrorCode, line: number | undefined): string {
  if (code === 'SEVERAL_DELEGATES' || code === 'DELEGATE_UNKNOWN')
    return 'Run the command again with --delegate NAME, NAME being one of those.';
  return `Do what the message says${line === undefined ? '' : ` in line ${line}`}, and run the command again.`;
}
