import { uncheckedCertificate } from '../credentials.ts';
import { EditableText } from '../edit/editable-text.ts';
import { inOrder, settle } from '../edit/settle.ts';
import type { ShellWord } from '../edit/shell-words.ts';
import { wholeFile } from '../edit/text-part.ts';
import type { Endpoint } from '../endpoint.ts';
import { imageFault, unknownImage } from '../image-tag.ts';
import { ManifestError, type ManifestErrorCode } from '../manifest-error.ts';
import type { MigrateOptions, Migration } from '../migration.ts';
import { report, warningsFrom } from '../migration-report.ts';
import { begunInContainer, dockerTarget, filesMissing, mountsBoth } from './docker-target.ts';
import { type RunCommand, runCommands } from './run-command.ts';
import { type RunScene, runRules } from './run-rules.ts';

/** Migrates a `docker run` command line; the upgraders of the same text get the new manager too. */
export function migrateDockerCommand(text: string, endpoint: Endpoint, options: MigrateOptions): Migration {
  const source = new EditableText(text);
  const target = dockerTarget(endpoint, options);
  const delegates = runCommands(text).filter((run) => run.role === 'delegate');
  const chosen = chooseRun(delegates, options.delegate, source);
  const index = delegates.indexOf(chosen);
  if (!chosen.image.expands) {
    const fault = imageFault(chosen.image.value);
    if (fault) throw refuse(source, 'IMAGE_NOT_IMMUTABLE', fault, chosen.image);
  }
  if (!target.files && !mountsBoth(chosen.mounts.map((mount) => mount.target))) {
    throw refuse(source, 'CERTIFICATE_MISSING', `"${chosen.name || chosen.image.value}" ${filesMissing}`, chosen.image);
  }
  const read = (): RunScene => {
    const runs = runCommands(source.text);
    return {
      text: source.text,
      delegate: runs.filter((run) => run.role === 'delegate')[index] ?? chosen,
      upgraders: runs.filter((run) => run.role === 'upgrader'),
      target,
    };
  };
  const progress = {
    begun: begunInContainer(chosen.variables, chosen.mounts),
    atEndpoint: chosen.variables.some((each) => each.name === 'MANAGER_HOST_AND_PORT' && each.value === endpoint.url),
  };
  const applied = settle({ source, parts: [] }, read, inOrder(runRules));
  const place = { part: wholeFile, offset: read().delegate.image.start };
  const left = runRules.flatMap((rule) => [...rule(read())]);
  if (chosen.image.expands) left.push(unknownImage(chosen.image.value, place));
  return {
    form: 'docker-command',
    text: source.text,
    ...report(applied, progress),
    warnings: warningsFrom([...left, ...uncheckedCertificate(options.certificate, options.inspector, place)], source),
    companions: [],
  };
}

function chooseRun(delegates: readonly RunCommand[], wanted: string | undefined, source: EditableText): RunCommand {
  const matching = wanted === undefined ? delegates : delegates.filter((run) => run.name === wanted);
  const [chosen, another] = matching;
  if (chosen && !another) return chosen;
  const first = delegates[0];
  if (!first)
    throw new ManifestError('NO_DELEGATE', 'There is no "docker run" of a delegate here.', { line: 1, column: 1 });
  const list = delegates.map((run) => `"${run.name}"`).join(', ');
  if (!chosen)
    throw refuse(
      source,
      'DELEGATE_UNKNOWN',
      `There is no delegate "${wanted}" here; the commands run ${list}.`,
      first.image,
    );
  throw refuse(
    source,
    'SEVERAL_DELEGATES',
    `The commands run several delegates: ${list}. Say which one is meant with --delegate NAME.`,
    another?.image ?? chosen.image,
  );
}

function refuse(source: EditableText, code: ManifestErrorCode, message: string, word: ShellWord): ManifestError {
  return new ManifestError(code, message, source.originalPosition(word.start));
}
