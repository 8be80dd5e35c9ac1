import type { FileUser } from '@sallyport/doctor';
import { Command, InvalidArgumentError, Option } from 'commander';
import { shortenResolverPatience } from '../config/resolver-patience.ts';
import { diagnosisText } from '../doctor/diagnosis-text.ts';
import { type SubjectOptions, subjectOf } from '../doctor/subject.ts';
import { EXIT_OF_DIAGNOSIS } from '../exit-codes.ts';
import { example } from '../help.ts';
import { outputOf, type Tools } from '../session.ts';

export function doctorCommand(tools: Tools): Command {
  return example(new Command('doctor'), 'sallyport doctor --from-manifest harness-delegate.yaml')
    .description("walk the whole path of a delegate's connection and name what is wrong, with the one thing to do")
    .option('--from-manifest <file>', 'look at the delegate of a manifest, with the Secrets that are in the file')
    .option('--delegate <name>', 'the delegate, when the manifest has several')
    .option('--env-file <file>', 'NAME=value lines in place of this environment, or on top of the manifest')
    .option('--root <folder>', 'look for the files below this folder, as copied out of a pod')
    .addOption(
      new Option(
        '--user <uid>',
        'who has to be able to read the files, UID or UID:GID,...; this user when not given',
      ).argParser(parseUser),
    )
    .action(async (options: SubjectOptions, command: Command) => {
      const subject = await subjectOf(options, tools.environment.variables);
      shortenResolverPatience();
      const { diagnose } = await import('@sallyport/doctor');
      const diagnosis = await diagnose({ ...subject, now: tools.now });
      if (diagnosis.status === 'fail' && diagnosis.class !== null) tools.setExit(EXIT_OF_DIAGNOSIS[diagnosis.class]);
      outputOf(tools, command).result(diagnosis, () => diagnosisText(diagnosis));
    });
}

function parseUser(text: string): FileUser {
  if (!/^\d+(:\d+(,\d+)*)?$/.test(text)) throw new InvalidArgumentError('Give UID or UID:GID,GID..., as numbers.');
  const [uid, gids] = text.split(':');
  return { uid: Number(uid), gids: gids === undefined ? [] : gids.split(',').map(Number) };
}
