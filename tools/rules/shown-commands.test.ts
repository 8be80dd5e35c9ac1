import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type KnownCommands, shownCommands } from './shown-commands.ts';

const known: KnownCommands = {
  npmScripts: ['start', 'test', 'bench'],
  sallyport: [
    {
      words: '',
      verbs: ['serve', 'endpoint'],
      flags: new Map([
        ['--account', true],
        ['--json', false],
      ]),
    },
    { words: 'serve', verbs: [], flags: new Map([['--data-dir', true]]) },
    { words: 'endpoint', verbs: ['show', 'mode'], flags: new Map() },
    { words: 'endpoint show', verbs: [], flags: new Map() },
    { words: 'endpoint mode', verbs: [], flags: new Map() },
  ],
};
const found = (text: string) =>
  [
    ...shownCommands(
      [
        { path: 'README.md', text },
        { path: 'tools/run.mjs', text: '' },
      ],
      known,
    ),
  ].map((violation) => violation.found);
const shown = (...lines: string[]) => found(`# A\n\n\`\`\`sh\n${lines.join('\n')}\n\`\`\`\n`);

describe('the commands that the documents show', () => {
  it('exist, with their options', () => {
    assert.deepEqual(
      shown(
        'npx sallyport endpoint mode STRICT --account acme',
        'sallyport --account acme endpoint show --json | less',
        'sallyport serve --data-dir=/var/lib/x \\',
        '  --json',
        'npm start',
        'npm run bench -- tls  # comment',
        'node tools/run.mjs x',
      ),
      [],
    );
  });

  it('have verbs, flags, scripts and files that are known', () => {
    for (const [command, problem] of [
      ['npx sallyport endpoint flip', 'no "sallyport endpoint flip"'],
      ['sallyport gateway', 'no "sallyport gateway"'],
      ['sallyport endpoint show --all', '"sallyport endpoint show" has no --all'],
      ['$ sallyport serve --jsn', 'has no --jsn'],
      ['npm run benchmark', 'no script "benchmark"'],
      ['node tools/walk.mjs', 'no tools/walk.mjs'],
    ] as const) {
      const [violation = ''] = shown(command);
      assert.ok(violation.includes(problem), `${command}: ${violation}`);
    }
  });

  it('are found in the text as well', () => {
    assert.equal(found('Run `sallyport gateway` now.').length, 1);
    assert.deepEqual(found('Run `sallyport serve` now; `sallyport` is the program.'), []);
  });

  it('take values that look like verbs', () => {
    assert.deepEqual(shown('sallyport --account gateway endpoint show'), []);
  });

  it('are not looked for in output and other languages', () => {
    assert.deepEqual(found('```json\nnpm none\n```\n'), []);
  });
});
