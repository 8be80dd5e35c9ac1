import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { runCommand } from '../../test/captured-terminal.ts';
import { SHELLS, type Shell } from './scripts.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-completion-'));
after(() => rmSync(folder, { recursive: true }));

const missing = (shell: Shell): string | false =>
  spawnSync(shell, ['-c', 'exit 0']).status === 0 ? false : `needs ${shell}`;

async function scriptFile(shell: Shell): Promise<string> {
  const { exit, stdout } = await runCommand(['completion', shell]);
  assert.equal(exit, 0);
  const file = join(folder, shell);
  writeFileSync(file, stdout);
  return file;
}

for (const shell of SHELLS) {
  test(`${shell} can read its completion script`, { skip: missing(shell) }, async () => {
    const { status, stderr } = spawnSync(shell, ['-n', await scriptFile(shell)], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
  });
}

const lines: ReadonlyArray<readonly [line: string, candidates: string[]]> = [
  ['sallyport end', ['endpoint']],
  ['sallyport endpoint m', ['mode']],
  ['sallyport endpoint mode ', ['loose', 'strict']],
  ['sallyport endpoint create --mode ', ['loose', 'strict']],
  ['sallyport endpoint create --ca-c', ['--ca-certificates']],
  ['sallyport key create ci --role a', ['admin']],
  // The value of an option is no noun, even when it reads like one.
  ['sallyport --account endpoint tok', ['token']],
  ['sallyport endpoint show --js', ['--json']],
];

for (const [line, candidates] of lines) {
  test(`bash completes "${line}"`, { skip: missing('bash') }, async () => {
    const words = line.split(' ').map((word) => `'${word}'`);
    const ask = `source ${await scriptFile('bash')}; COMP_WORDS=(${words.join(' ')}); COMP_CWORD=${words.length - 1}; _sallyport; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout, stderr } = spawnSync('bash', ['-c', ask], { encoding: 'utf8' });
    assert.equal(stderr, '');
    assert.deepEqual(stdout.trimEnd().split('\n'), candidates);
  });

  test(`fish completes "${line}"`, { skip: missing('fish') }, async () => {
    const ask = `source ${await scriptFile('fish')}; complete -C '${line}'`;
    const { stdout, stderr } = spawnSync('fish', ['--no-config', '-c', ask], {
      encoding: 'utf8',
      env: { HOME: folder },
    });
    assert.equal(stderr, '');
    assert.deepEqual(
      stdout
        .trimEnd()
        .split('\n')
        .map((text) => text.split('\t')[0]),
      candidates,
    );
  });
}
