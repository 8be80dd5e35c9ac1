import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { environmentReads } from './environment-reads.ts';

const count = (path: string, text: string) => [...environmentReads([{ path, text }])].length;

describe('the environment', () => {
  it('is not read outside config/', () => {
    assert.equal(count('apps/manager/src/gateway/gateway.ts', 'const a = process.env;'), 1);
    assert.equal(count('packages/client/src/a.ts', "process.env['HTTPS_PROXY'] ?? process?.env.A;"), 2);
    assert.equal(count('packages/client/src/a.ts', "process['env'];"), 1);
    assert.equal(count('packages/client/src/a.ts', "import { argv, env } from 'node:process';"), 1);
    assert.equal(count('apps/manager/src/gateway/config.ts', 'process.env'), 1);
  });

  it('is read in config/, tools, benchmarks, tests and the test environment', () => {
    for (const path of [
      'apps/manager/src/config/config.ts',
      'tools/test.ts',
      'bench/tls.ts',
      'tests/end-to-end.ts',
      'apps/manager/src/a.test.ts',
      'apps/manager/test/a.ts',
      'packages/dev-env/src/postgres.ts',
    ]) {
      assert.equal(count(path, 'process.env'), 0, path);
    }
  });

  it('may be talked about', () => {
    assert.equal(count('apps/cli/src/a.ts', "// process.env\nconst a = 'process.env';\nprocess.environment;"), 0);
  });
});
