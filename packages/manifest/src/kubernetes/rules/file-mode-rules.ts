import { at, repairAt } from '../../edit/repair.ts';
import type { YamlCursor } from '../../edit/yaml-cursor.ts';
import { addPair, setScalar } from '../../edit/yaml-edits.ts';
import type { Problem } from '../../finding.ts';
import type { CertificatePod } from '../certificate-volume.ts';
import { fileMode, modeFault, octal, type Reader, readerOf, readMode } from '../file-mode.ts';

/** Who may read the files of the certificate's volume: the container must, and nobody else should. */
export function* fileModes(pod: CertificatePod, secret: YamlCursor): Iterable<Problem> {
  const items = secret.get('items')?.items() ?? [];
  const own = items.flatMap((item) => item.get('mode') ?? []);
  const byDefault = secret.get('defaultMode');
  const needsDefault = items.length === 0 || own.length < items.length;
  if (!byDefault && needsDefault) yield* missing(pod, secret);
  for (const mode of [...(byDefault ? [byDefault] : []), ...own]) yield* wrong(pod, mode);
}

/** Without a mode the private key has 0644: every process of the pod reads it. */
function* missing(pod: CertificatePod, secret: YamlCursor): Iterable<Problem> {
  const reader = readerOf(pod);
  const wanted = fileMode(pod);
  if (wanted === undefined) {
    yield* open(reader, at(secret), '0644, which Kubernetes takes where no defaultMode is set');
    return;
  }
  yield {
    code: 'DEFAULT_MODE_MISSING',
    at: at(secret),
    message: 'The certificate volume has no defaultMode, so that the private key is readable for everybody (0644).',
    remedy: `Set defaultMode to ${wanted} (octal ${octal(wanted)}).`,
    repair: repairAt(secret, `set the mode of the certificate's files to ${wanted}, octal ${octal(wanted)}`, () => [
      addPair(secret, 'defaultMode', wanted),
    ]),
    independent: true,
  };
}

function* wrong(pod: CertificatePod, mode: YamlCursor): Iterable<Problem> {
  const reader = readerOf(pod);
  const wanted = fileMode(pod) ?? 0o440;
  const fault = modeFault(mode);
  const set = (code: 'DEFAULT_MODE_DECIMAL' | 'DEFAULT_MODE_OPEN', message: string): Problem => ({
    code,
    at: at(mode),
    message,
    remedy: `Write ${wanted} (octal ${octal(wanted)}).`,
    repair: repairAt(mode, `set the mode of the certificate's files to ${wanted}, octal ${octal(wanted)}`, () => [
      setScalar(mode, wanted),
    ]),
    independent: true,
  });
  if (fault) {
    yield set('DEFAULT_MODE_DECIMAL', `${fault}.`);
    return;
  }
  const value = readMode(mode) ?? 0;
  const said = `${mode.text ?? ''} (octal ${octal(value)})`;
  const forAll = (value & 0o007) !== 0;
  if (reader.as === 'stranger') {
    if (forAll) yield* open(reader, at(mode), said);
    else yield* unreadable(reader, at(mode), said);
  } else if (forAll) {
    yield set('DEFAULT_MODE_OPEN', `The mode ${said} lets everybody in the pod read the private key.`);
  } else {
    yield* unknown(reader, at(mode), value);
  }
}

function* open(reader: Reader, place: Problem['at'], mode: string): Iterable<Problem> {
  if (reader.as !== 'stranger') return;
  yield {
    code: 'DEFAULT_MODE_OPEN',
    at: place,
    message: `The private key is readable for everybody in the pod (${mode}), and with ${reader.who} and no fsGroup it has to be: 0400 and 0440 are for root and its group.`,
    remedy: groupRemedy(reader.fsGroup),
    safe: false,
  };
}

/** A certificate that its own delegate cannot read: the pod starts, and the delegate does not. */
function* unreadable(reader: Reader, place: Problem['at'], mode: string): Iterable<Problem> {
  if (reader.as !== 'stranger') return;
  yield {
    code: 'CERTIFICATE_MODE_UNREADABLE',
    at: place,
    message: `The container runs with ${reader.who} and without fsGroup, and cannot read files of root with the mode ${mode}.`,
    remedy: groupRemedy(reader.fsGroup),
  };
}

function* unknown(reader: Reader, place: Problem['at'], mode: number): Iterable<Problem> {
  if (reader.as !== 'unknown') return;
  yield {
    code: 'CERTIFICATE_READER_UNKNOWN',
    at: place,
    message: `The manifest does not say as whom the container runs. Certificate and key have the mode ${octal(mode)}, ${
      (mode & 0o040) === 0 ? 'for root alone' : 'for root and the group root'
    }.`,
    remedy: 'If the image has a user and a group of its own, set fsGroup to that group, and defaultMode to 288 (0440).',
  };
}

function groupRemedy(fsGroup: string): string {
  return `Set securityContext.fsGroup of the pod (fsGroup: ${fsGroup}) and the volume's defaultMode to 288 (octal 0440).`;
}
