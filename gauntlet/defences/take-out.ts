// Loaded before a manager that is to run without one of its defences (GAUNTLET_DEFENCE): the files on disk stay as they are.
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { DEFENCES } from './defences.ts';

const name = process.env['GAUNTLET_DEFENCE'];
const defence = DEFENCES.find((one) => one.name === name);
if (defence === undefined) throw new Error(`GAUNTLET_DEFENCE: no defence is called "${name}"`);
const root = join(import.meta.dirname, '..', '..');
const urlOf = (file: string): string => pathToFileURL(join(root, file)).href;

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    const edits = defence.edits.filter(({ file }) => urlOf(file) === url);
    if (edits.length === 0) return loaded;
    let source = String(loaded.source);
    for (const { file, text, instead } of edits) {
      if (!source.includes(text)) throw new Error(`${file} does not hold: ${text}`);
      source = source.replace(text, () => instead);
    }
    return { ...loaded, source };
  },
});
