import type { FileUser } from '@sallyport/doctor';
import { Command, InvalidArgumentError, Option } from 'commander';
import { shortenResolverPatience } from '../config/resolver-patience.ts';
import { diagnosisText } from '../doctor/diagnosis-text.ts';
import { type SubjectOptions, subjectOf } from '../doctor/subject.ts';
import { EXIT_OF_DIAGNOSIS } from '../exit-codes.ts';
import { example } from '../help.ts';
import { outputOf, type Tools } from '../session.ts';

/** Less would call a slow network a broken one. */
const LEAST_MS = 2500;

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
      const [{ diagnose, TIME_LIMITS }, { KillableResolver }] = await Promise.all([
        import('@sallyport/doctor'),
        import('../doctor/killable-resolver.ts'),
      ]);
      const resolver = new KillableResolver();
      // A slow machine may have spent a second on starting this program, and who waits counts that, too.
      const totalMs = Math.max(LEAST_MS, TIME_LIMITS.totalMs - Math.round(tools.sinceStart?.() ?? 0));
      const diagnosis = await diagnose({
        ...subject,
        now: tools.now,
        lookup: resolver.lookup,
        limits: { totalMs },
      }).finally(() => resolver.close());
      if (diagnosis.status === 'fail' && diagnosis.class !== null) tools.setExit(EXIT_OF_DIAGNOSIS[diagnosis.class]);
      outputOf(tools, command).result(diagnosis, () => diagnosisText(diagnosis));
    });
}

function parseUser(text: string): FileUser {
  if (!/^\d+(:\d+(,\d+)*)?$/.test(text)) throw new InvalidArgumentError('Give UID or UID:GID,GID..., as numbers.');
  const [uid, gids] = text.split(':');
  return { uid: Number(uid), gids: gids === undefined ? [] : gids.split(',').map(Number) };
}
