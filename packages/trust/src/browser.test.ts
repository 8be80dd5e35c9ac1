import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { daysFromNow, makeCa, makeClient } from '../test/certificate-maker.ts';
import { CaBundleError, previewCaBundle } from './browser.ts';
import { readCaBundle } from './ca-bundle.ts';
import { verifyClientCertificate } from './verify-by-handshake.ts';

/** Every file that the entry reaches, with what it imports. */
function imports(entry: string, seen = new Map<string, readonly string[]>()): ReadonlyMap<string, readonly string[]> {
  if (seen.has(entry)) return seen;
  const found = [...readFileSync(entry, 'utf8').matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(
    ([, name = '']) => name,
  );
  seen.set(entry, found);
  for (const name of found) if (name.startsWith('.')) imports(join(dirname(entry), name), seen);
  return seen;
}

/** A thread from which everything is taken that a page does not have, before the entry is loaded. */
const PAGE = `
  const { parentPort, workerData } = require('node:worker_threads');
  require('node:module').registerHooks({
    resolve(specifier, context, next) {
      if (!/^(?:\\.|file:)/.test(specifier)) throw new Error('a page has no module ' + specifier);
      return next(specifier, context);
    },
  });
  for (const name of ['process', 'Buffer', 'global', 'setImmediate', 'require', 'module']) delete globalThis[name];
  import(workerData)
    .then(async ({ createAuthority, issueClientCertificate, createSigningRequest, signRequest, renew }) => {
      const now = new Date();
      const keyAlgorithm = 'EC P-256';
      const authority = await createAuthority({ subject: { commonName: 'Page CA' }, keyAlgorithm, now });
      const client = await issueClientCertificate({ authority, name: 'edge-1', keyAlgorithm, now });
      const request = await createSigningRequest({ name: 'edge-2', keyAlgorithm });
      const signed = await signRequest({ authority, requestPem: request.requestPem, now });
      const renewed = await renew({ authority, certificatePem: client.certificatePem, now });
      parentPort.postMessage({
        bundlePem: authority.certificatePem,
        pairs: [client, { ...signed, privateKeyPem: request.privateKeyPem }, renewed],
        buffer: typeof Buffer,
      });
    })
    .catch((error) => parentPort.postMessage({ error: String(error) }));
`;

interface MadeInPage {
  readonly error?: string;
  readonly buffer?: string;
  readonly bundlePem: string;
  readonly pairs: readonly { readonly certificatePem: string; readonly privateKeyPem: string }[];
}

describe('the browser entry', () => {
  it('makes a CA, certificates, requests and renewals with what a page has, and the gateway admits them', async () => {
    const workerData = pathToFileURL(join(import.meta.dirname, 'browser.ts')).href;
    const worker = new Worker(PAGE, { eval: true, workerData });
    const [made] = (await once(worker, 'message')) as [MadeInPage];
    await worker.terminate();
    assert.equal(made.error, undefined);
    assert.equal(made.buffer, 'undefined');
    for (const { certificatePem, privateKeyPem } of made.pairs) {
      const { verdict } = await verifyClientCertificate({
        bundlePem: made.bundlePem,
        certificatePem,
        keyPem: privateKeyPem,
        fqdn: 'acme.agent.example.test',
        now: new Date(),
      });
      assert.ok(verdict.admitted);
    }
  });

  it('reaches nothing but files of this package, so that it runs in a page', () => {
    for (const [file, names] of imports(join(import.meta.dirname, 'browser.ts'))) {
      const foreign = names.filter((name) => !name.startsWith('.'));
      assert.deepEqual(foreign, [], `${relative(import.meta.dirname, file)} imports what a page does not have`);
    }
  });

  it('previews a bundle as the server will judge it', async () => {
    const now = new Date();
    const root = await makeCa({ subject: 'Root', notAfter: daysFromNow(5) });
    assert.deepEqual(await previewCaBundle(root.pem, now), readCaBundle(root.pem, now));
    const leaf = await makeClient({ subject: 'leaf', issuer: root });
    for (const pem of [leaf.pem, root.keyPem, '', root.pem.replace(/\nMII.{8}/, '\nMIIAAAAAAAA')]) {
      const expected = (() => {
        try {
          readCaBundle(pem, now);
        } catch (error) {
          if (error instanceof CaBundleError) return error.problem;
        }
        return 'NONE';
      })();
      await assert.rejects(
        previewCaBundle(pem, now),
        (error) => error instanceof CaBundleError && error.problem === expected,
      );
    }
  });
});
