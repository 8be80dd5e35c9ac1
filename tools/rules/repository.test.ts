import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { ROOT, repositoryFiles } from './repository.ts';
import type { Violation } from './source-file.ts';

const module = pathToFileURL(`${import.meta.dirname}/repository.ts`).href;

function reported(violations: readonly Violation[]) {
  const script = `const { report } = await import(${JSON.stringify(module)}); report(${JSON.stringify(violations)});`;
  return spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script], {
    cwd: ROOT,
    encoding: 'utf8',
  });
}

describe('the report of a check', () => {
  it('ends with 1 and says each reason once, with the places under it', () => {
    const { status, stderr } = reported([
      { path: 'a.ts', line: 3, found: 'x', why: 'Because of x.' },
      { path: 'b.ts', line: null, found: 'y', why: 'Because of y.' },
      { path: 'c.ts', line: 1, found: 'z', why: 'Because of x.' },
    ]);
    assert.equal(status, 1);
    assert.equal(stderr, '\nBecause of x.\n  a.ts:3  x\n  c.ts:1  z\n\nBecause of y.\n  b.ts  y\n');
  });

  it('ends with 0 and says nothing when all is well', () => {
    const { status, stderr, stdout } = reported([]);
    assert.deepEqual({ status, stderr, stdout }, { status: 0, stderr: '', stdout: '' });
  });
});

describe('the files of the repository', () => {
  it('are its own, with their text, and nothing that is installed or generated', () => {
    const files = repositoryFiles();
    const own = files.find(({ path }) => path === 'package.json');
    assert.match(own?.text ?? '', /sallyport-workspace/);
    assert.ok(!files.some(({ path }) => /(^|\/)(node_modules|\.git|\.sallyport)\//.test(path)));
  });
});
