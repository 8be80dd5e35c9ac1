import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { DevManager } from '@sallyport/dev-env';
import { ROOT } from './rules/repository.ts';

/** Answered by an upgrade, which OpenAPI has no words for. */
const STREAM = '/api/agent/delegates/{}/stream';

/** Parameters are called differently in the two places: what they stand for is not compared. */
const unnamed = (path: string) => path.replace(/\{\w+\}/g, '{}');

test('docs/api.md names every path that is served, and none that is not', async (t) => {
  const manager = await DevManager.start();
  t.after(() => manager.stop());
  const { body } = await manager.api('GET', '/openapi.json', undefined, null);
  const served = new Set([...Object.keys(body['paths'] ?? {}).map(unnamed), STREAM]);
  const page = readFileSync(join(ROOT, 'docs', 'api.md'), 'utf8');
  const named = new Set<string>();
  for (const [, path = ''] of page.matchAll(
    /`(?:[A-Z]+ )?(\/(?:ng\/)?(?:api\/|healthz|metrics|openapi|log-service)[\w{}/.-]*)(?:\?[^`]*)?`/g,
  )) {
    named.add(unnamed(path));
  }
  assert.deepEqual([...named].sort(), [...served].sort());
});
