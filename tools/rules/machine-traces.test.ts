import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { machineTraces } from './machine-traces.ts';

const found = (text: string, own = ['/srv/checkouts/sallyport', '/app']) =>
  [...machineTraces([{ path: 'docs/a.md', text }], own)].map((violation) => violation.found);

describe('a trace of a machine', () => {
  it('is a path into a home folder', () => {
    for (const folder of ['home', 'Users', 'root']) {
      assert.deepEqual(found(`cd /${folder}/ann/project`), [`/${folder}/ann`]);
    }
    assert.deepEqual(found('~/home/x https://example.com/home/x ./root/x'), []);
  });

  it('is the folder that the repository lies in, unless its name is a single word', () => {
    assert.deepEqual(found('open /srv/checkouts/sallyport/README.md'), ['/srv/checkouts/sallyport']);
    assert.deepEqual(found('COPY . /app/'), []);
  });

  it('is the host of a package registry', () => {
    assert.equal(found(`https://registry${'.'}somewhere.org/pkg`).length, 1);
    assert.equal(found(`  "resolved": "${'https'}://host/ws.tgz",`).length, 1);
    assert.deepEqual(found('image: registry.example.com/delegate\n"resolved": "apps/cli"'), []);
  });
});
