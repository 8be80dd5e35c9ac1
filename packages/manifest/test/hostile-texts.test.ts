import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { check, ManifestError, manifestForms, migrate, readManifest } from '../src/index.ts';

const options = { endpoint: 'https://blue.agent.example.com', secretName: 's' };
const reason = (work: () => unknown): string => {
  try {
    work();
    return '';
  } catch (error) {
    assert.ok(error instanceof ManifestError, String(error));
    return error.message;
  }
};
const deployment = (environment: string) =>
  `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d1}\nspec: {template: {spec: {containers: [{name: delegate, image: 'r/delegate:25.09.86700', env: ${environment}}]}}}\n`;

describe('a text made to exhaust whoever reads it', () => {
  test('nested aliases and merge keys that unfold into gigabytes are refused', () => {
    const levels = (item: (below: string) => string) =>
      Array.from(
        { length: 12 },
        (_, level) => `x${level}: &x${level} ${level === 0 ? '{a: b}' : item(`*x${level - 1}`)}\n`,
      ).join('');
    const lists = levels((below) => `[${Array(9).fill(below).join(', ')}]`);
    const merges = levels((below) => `{<<: [${Array(9).fill(below).join(', ')}]}`);
    for (const bomb of [lists, merges]) {
      const text = bomb + deployment('*x11');
      assert.match(
        reason(() => migrate(text, options)),
        /alias count/,
      );
      assert.equal(check(text)[0]?.code, 'YAML_INVALID');
    }
  });

  test('thousands of levels are refused in words of their own', () => {
    const text = `${deployment('[]')}x: ${'['.repeat(50_000)}\n`;
    assert.match(
      reason(() => migrate(text, options)),
      /YAML cannot be parsed/,
    );
    assert.match(
      reason(() => migrate(`${deployment('[]')}x: ${'['.repeat(20_000)}${']'.repeat(20_000)}\n`, options)),
      /nested too deeply/,
    );
  });

  // Each of these took minutes with an expression that looks at a place again and again.
  const lines = {
    spaces: ' ',
    tabs: '\t',
    braces: '{',
    'double braces': '{{',
    dashes: '- ',
    colons: ':',
    options: '-e ',
    dollars: '$(',
  };
  for (const [name, filler] of Object.entries(lines)) {
    test(`a line of ${name} takes no longer than another`, { timeout: 60_000 }, () => {
      const line = filler.repeat(40_000 / filler.length);
      for (const text of [
        line,
        deployment(`[{name: A, value: "${line}"}]`),
        `docker run ${line}`,
        `helm upgrade d1 c --set a=${line}`,
      ]) {
        for (const work of [() => check(text), () => readManifest(text), () => migrate(text, options)]) reason(work);
      }
      for (const form of manifestForms) reason(() => check(line, { form }));
    });
  }
});
