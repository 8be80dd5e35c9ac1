import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { settingsRead, settingsTable } from './settings-table.ts';

describe('the settings of a program', () => {
  it('are those that it asks the environment for', () => {
    assert.deepEqual(
      settingsRead((environment) => [environment['B_PORT'], environment['A_HOST']]),
      ['A_HOST', 'B_PORT'],
    );
  });

  it('include those that it asks for only when another one is set', () => {
    const names = settingsRead((environment) => environment['PROXY_HOST'] && environment['PROXY_PORT']);
    assert.deepEqual(names, ['PROXY_HOST', 'PROXY_PORT']);
  });

  it('have one name, in whatever case they are accepted', () => {
    assert.deepEqual(
      settingsRead((environment) => environment['no_proxy'] ?? environment['NO_PROXY']),
      ['NO_PROXY'],
    );
  });

  it('are known even when one of them has to be there', () => {
    const names = settingsRead((environment) => {
      if (environment['ACCOUNT_ID'] === undefined) throw new Error('ACCOUNT_ID is missing');
    });
    assert.deepEqual(names, ['ACCOUNT_ID']);
  });

  it('are not guessed when the program fails before it asks', () => {
    assert.throws(() =>
      settingsRead(() => {
        throw new Error('broken');
      }),
    );
  });
});

describe('the table of settings', () => {
  const found = (text: string) =>
    [...settingsTable([{ path: 'docs/a.md', text }], 'docs/a.md', ['A_HOST', 'B_PORT'])].map((each) => each.found);

  it('has every setting of the program and no other', () => {
    assert.deepEqual(found('| Setting | Use |\n|---|---|\n| `A_HOST` | x |\n| `B_PORT` | y |\n'), []);
    assert.deepEqual(found('| `A_HOST` | x |\n'), ['lacks B_PORT']);
    assert.deepEqual(found('| `A_HOST` | x |\n| `B_PORT` | y |\n| `C_OLD` | z |\n'), ['C_OLD']);
  });

  it('is not the text around it', () => {
    assert.deepEqual(found('`C_OLD` is gone.\n\n| `A_HOST` | `D` |\n| `B_PORT` | y |\n'), []);
  });
});
