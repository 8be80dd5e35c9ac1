// Fails when the documents name a file, a test, a command or a setting that does not exist, or leave a setting out.
import { completionModel } from '../apps/cli/src/completion/model.ts';
import { readEnvironment } from '../apps/cli/src/config/environment.ts';
import { buildProgram } from '../apps/cli/src/program.ts';
import { readDelegateConfig } from '../apps/delegate/src/config/delegate-config.ts';
import { readConfig } from '../apps/manager/src/config/config.ts';
import { markdownLinks } from './rules/markdown-links.ts';
import { report, repositoryFiles } from './rules/repository.ts';
import { settingsRead, settingsTable } from './rules/settings-table.ts';
import { type KnownCommand, shownCommands } from './rules/shown-commands.ts';

const files = repositoryFiles();
report([
  ...markdownLinks(files),
  ...shownCommands(files, { npmScripts: npmScripts(), sallyport: await sallyportCommands() }),
  ...settingsTable(files, 'docs/operations.md', settingsRead(readConfig)),
  ...settingsTable(files, 'docs/delegate.md', settingsRead(readDelegateConfig)),
]);

function npmScripts(): string[] {
  const manifest = files.find(({ path }) => path === 'package.json')?.text ?? '{}';
  return Object.keys((JSON.parse(manifest) as { scripts?: Record<string, string> }).scripts ?? {});
}

async function sallyportCommands(): Promise<KnownCommand[]> {
  const program = await buildProgram({
    environment: readEnvironment({}),
    terminal: process,
    now: Date.now,
    setExit: () => undefined,
  });
  const { nodes, globals } = completionModel(program);
  return nodes.map(({ words, verbs, options }) => ({
    words,
    verbs: verbs.map(({ name }) => name),
    flags: new Map(
      (words === '' ? globals : options).flatMap(({ flags, takesValue }) => flags.map((flag) => [flag, takesValue])),
    ),
  }));
}
