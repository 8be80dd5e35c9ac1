// Writes the expected files of every golden case anew: node packages/manifest/test/update-golden.ts. Read the diff before committing it.
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { goldenCases, operations, outcome } from './golden-cases.ts';

for (const golden of operations.flatMap(goldenCases)) {
  const files = outcome(golden);
  for (const file of readdirSync(golden.directory)) {
    if (file.startsWith('expected') && !files.has(file)) rmSync(join(golden.directory, file));
  }
  for (const [name, text] of files) writeFileSync(join(golden.directory, name), text);
}
