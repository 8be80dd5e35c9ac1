import { isBuiltin } from 'node:module';
import { posix } from 'node:path';
import { importStatements } from './import-statements.ts';
import { ROOMS } from './rooms.ts';
import { matchesOf, type SourceFile, type Violation } from './source-file.ts';
import { codeOnly } from './source-text.ts';

const MODULE_WHY =
  'This file is loaded in a browser, where there is no module of Node: the page would stay empty. Move what needs Node ' +
  'into a file that the browser entry does not reach, or use what both have (WebCrypto, TextEncoder, Uint8Array).';
const GLOBAL_WHY =
  'This file is loaded in a browser, where Buffer, process and __dirname do not exist: it would throw there, in a line ' +
  'that every test on Node passes.';

/** Finds what a browser cannot load in the files that the browser entries reach, type-only imports left out. */
export function* browserRooms(files: readonly SourceFile[]): Generator<Violation, void, undefined> {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const waiting = Object.values(ROOMS).flatMap((room) => room.browserEntries ?? []);
  const seen = new Set<string>();
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const file = byPath.get(path);
    if (file === undefined || seen.has(path)) continue;
    seen.add(path);
    for (const { specifier, typeOnly, line } of importStatements(file)) {
      if (specifier === null || typeOnly) continue;
      if (specifier.startsWith('.')) waiting.push(posix.join(posix.dirname(path), specifier));
      else if (isBuiltin(specifier)) yield { path, line, found: specifier, why: MODULE_WHY };
    }
    yield* matchesOf(
      file,
      codeOnly(file.text),
      /(?<![\w.$'-])(Buffer|process|__dirname|__filename)\b(?!['?]?:|-)/g,
      GLOBAL_WHY,
    );
  }
}
