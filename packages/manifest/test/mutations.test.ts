// Among the first: takes as long as a dozen others.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { changedLines } from '../src/diff/unified-diff.ts';
import { ManifestError } from '../src/manifest-error.ts';
import { migrate } from '../src/migrate.ts';
import type { MigrateOptions, Migration } from '../src/migration.ts';
import { credentials, goldenRoot } from './golden-cases.ts';
import { schemaProblems } from './kubernetes-schemas.ts';
import { type MutatedManifest, mutate } from './mutated-manifests.ts';
import { comparable, endpoint, migrated } from './oracle.ts';
import {
  at,
  delegateContainer,
  isMap,
  maps,
  named,
  nameOf,
  objectsIn,
  type PlainMap,
  podSpec,
} from './plain-objects.ts';

const total = 500;
const firstSeed = 20_261_121;

test(`${total} mutated manifests come out valid, idempotent and minimal, or are refused with line and reason`, () => {
  const sample = objectsIn(readFileSync(join(goldenRoot, 'migrate', 'sample', 'input.yaml'), 'utf8'));
  const tally = { migrated: 0, repaired: 0, refused: 0 };
  for (let seed = firstSeed; seed < firstSeed + total; seed++) {
    const manifest = mutate(sample, seed);
    const about = `seed ${seed} (${[...manifest.how, ...manifest.mistakes].join(', ')})`;
    try {
      const outcome = judge(manifest);
      tally[outcome]++;
    } catch (error) {
      throw new Error(
        `${about}\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n${manifest.text}`,
        { cause: error },
      );
    }
  }
  assert.equal(tally.migrated + tally.repaired + tally.refused, total);
  // Were the generator to produce one kind only, the test would prove nothing.
  assert(tally.migrated > 150 && tally.repaired > 80 && tally.refused > 40, JSON.stringify(tally));
});

function judge(manifest: MutatedManifest): keyof { migrated: 1; repaired: 1; refused: 1 } {
  const options: MigrateOptions = {
    endpoint,
    delegate: manifest.name,
    ...(manifest.withCertificate
      ? { certificate: credentials }
      : { secretName: `${manifest.name}-client-certificate` }),
  };
  let migration: Migration;
  try {
    migration = migrate(manifest.text, options);
  } catch (error) {
    assert(error instanceof ManifestError, 'only refusals are thrown');
    assert(manifest.damaged, `an undamaged manifest is refused: ${error.code} line ${error.line}: ${error.message}`);
    assert(error.line !== undefined && error.line >= 1 && error.message.length > 20, 'a refusal names line and reason');
    return 'refused';
  }
  const again = migrate(migration.text, options);
  assert.equal(again.text, migration.text, 'migrating again changes nothing');
  assert.deepEqual(again.changes, []);
  const after = objectsIn(migration.text);
  factsHold(after, manifest);
  const intended = manifest.damaged ? undamagedObjects(manifest) : manifest.intended;
  if (intended) {
    const expected = migrated(intended, manifest.name, manifest.withCertificate);
    assert.deepEqual(comparable(after), comparable(expected), 'everything is as the oracle says');
  }
  // What was valid stays so; what an accident took away (a name, a selector) the migration cannot know.
  const before = manifest.damaged ? problemsIn(manifest.text) : new Set<string>();
  assert.deepEqual(
    after.flatMap(schemaProblems).filter((problem) => !before.has(problem)),
    [],
    'every object is valid',
  );
  minimal(manifest, migration);
  return migration.repaired.length > 0 ? 'repaired' : 'migrated';
}

function problemsIn(text: string): Set<string> {
  try {
    return new Set(objectsIn(text, { uniqueKeys: false }).flatMap(schemaProblems));
  } catch {
    return new Set(); // not well formed: whatever comes out of it must be valid
  }
}

/** What a damaged text says, when it still is well-formed YAML and was free of mistakes: then the oracle knows what to expect. */
function undamagedObjects({ text, mistakes }: MutatedManifest): PlainMap[] | undefined {
  if (mistakes.length > 0) return undefined;
  try {
    return objectsIn(text);
  } catch {
    return undefined; // not well formed: the migration joined or repaired something, and the facts are all there is to check
  }
}

/** What mTLS needs, read from the result alone. */
function factsHold(objects: readonly PlainMap[], { name, withCertificate }: MutatedManifest): void {
  const deployment = objects.find((object) => object['kind'] === 'Deployment' && nameOf(object) === name);
  const spec = deployment && podSpec(deployment);
  const container = spec && delegateContainer(spec);
  assert(spec && container, 'the delegate is still there');
  const value = (variable: string) =>
    at(named(container['env'], variable), 'value') ?? fromConfigMap(container, objects, variable);
  assert.equal(value('MANAGER_HOST_AND_PORT'), endpoint);
  assert.equal(value('DELEGATE_CLIENT_CERTIFICATE_PATH'), '/etc/mtls/client.crt');
  assert.equal(value('DELEGATE_CLIENT_CERTIFICATE_KEY_PATH'), '/etc/mtls/client.key');
  assert.equal(value('GRPC_AUTHORITY_MODIFICATION_DISABLED'), 'true');
  assert(
    [undefined, `${endpoint}/log-service/`].includes(value('LOG_STREAMING_SERVICE_URL') as string | undefined),
    'logs go to the endpoint',
  );
  const secretName = mounted(spec, container);
  assert.equal(secretName, `${name}-client-certificate`);
  const secrets = objects.filter((object) => object['kind'] === 'Secret' && nameOf(object) === secretName);
  if (withCertificate && container['image'] !== undefined) {
    assert.equal(secrets.length, 1, 'the Secret is there once');
    assert.deepEqual(Object.keys(at(secrets[0], 'data') ?? {}).sort(), ['client.crt', 'client.key']);
  }
  const tokens = objects.filter((object) => object['kind'] === 'Secret' && nameOf(object) === `${name}-account-token`);
  assert(tokens.length <= 1, 'nothing replaces the token');
}

function fromConfigMap(container: PlainMap, objects: readonly PlainMap[], variable: string) {
  return maps(container['envFrom'])
    .map((source) => at(source, 'configMapRef', 'name'))
    .map((name) => objects.find((object) => object['kind'] === 'ConfigMap' && nameOf(object) === name))
    .map((object) => at(object, 'data', variable))
    .find((found) => found !== undefined);
}

function mounted(spec: PlainMap, container: PlainMap): unknown {
  const mounts = maps(container['volumeMounts']).filter((mount) => mount['mountPath'] === '/etc/mtls');
  assert.equal(mounts.length, 1, 'mounted once');
  const mount = mounts[0] ?? {};
  assert.deepEqual(Object.keys(mount).sort(), ['mountPath', 'name', 'readOnly']);
  const volumes = maps(spec['volumes']).filter((volume) => volume['name'] === mount['name']);
  assert.equal(volumes.length, 1, 'one volume of that name');
  const secret = volumes[0]?.['secret'];
  assert(isMap(secret));
  return secret['secretName'];
}

/** Lines go only where a change says so: one for a value, a few for a block that moves. */
function minimal({ text, mistakes }: MutatedManifest, { text: result, changes }: Migration): void {
  const { removed } = changedLines(text, result);
  const values = changes.filter(({ what }) =>
    /^(?:set|put|renamed|made|gave|wrote|moved the anchor)/.test(what),
  ).length;
  const blocks = changes.filter(({ what }) => /^(?:moved "|joined|removed|took)/.test(what)).length;
  const emptied = text.endsWith('\n') ? 0 : 1;
  // A gave-back variable changes name and value; an anchor that moves leaves one line and rewrites another; JSON without
  // line breaks is one line, and a comma goes behind the last element of each list that grows.
  const json = text.trimStart().startsWith('{') ? changes.length : 0;
  const allowed = 2 * values + 12 * blocks + emptied + json;
  assert(
    removed.length <= allowed,
    `${removed.length} lines removed for ${values} values and ${blocks} blocks (${mistakes.join(', ')}):\n${removed.join('')}`,
  );
}
