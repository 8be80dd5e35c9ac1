import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Made, make, makeCa, makeClient } from '../test/certificate-maker.ts';
import { ChainError, orderChain } from './chain.ts';

const root = await makeCa({ subject: 'Root' });
const upper = await makeCa({ subject: 'Upper', issuer: root });
const lower = await makeCa({ subject: 'Lower', issuer: upper });
const leaf = await makeClient({ subject: 'leaf', issuer: lower });
const stranger = await makeCa({ subject: 'Stranger' });
const order = (...made: Made[]) => orderChain(made.map(({ facts }) => facts));
const names = (facts: readonly { subject: string }[]) => facts.map(({ subject }) => subject);

describe('orderChain', () => {
  it('puts the leaf first, each issuer after, the root apart, strangers aside, doubles once', () => {
    const chain = order(root, stranger, upper, leaf, lower, upper);
    assert.equal(chain.leaf, leaf.facts);
    assert.deepEqual(names(chain.intermediates), ['CN=Lower', 'CN=Upper']);
    assert.equal(chain.root, root.facts);
    assert.deepEqual(names(chain.unrelated), ['CN=Stranger']);
  });
  it('takes a leaf alone, and stops where a certificate is missing', () => {
    assert.deepEqual(order(leaf).intermediates, []);
    const gap = order(leaf, upper);
    assert.deepEqual(names(gap.unrelated), ['CN=Upper']);
    assert.equal(gap.root, null);
  });
  it('refuses no leaf, and more than one', async () => {
    const other = await make({ subject: 'other', issuer: root });
    assert.throws(
      () => order(root),
      (error) => error instanceof ChainError && error.problem === 'NO_LEAF',
    );
    assert.throws(
      () => order(),
      (error) => error instanceof ChainError && error.problem === 'NO_LEAF',
    );
    assert.throws(
      () => order(leaf, other),
      (error) => error instanceof ChainError && /"CN=leaf", "CN=other"/.test(error.message),
    );
  });
  it('ends on a circle', async () => {
    const there = await makeCa({ subject: 'There', issuer: root });
    const back = await makeCa({ subject: 'Back', issuer: there });
    const again = await makeCa({ subject: 'There', issuer: back, keys: there.keys });
    const below = await makeClient({ subject: 'below', issuer: there });
    assert.deepEqual(names(order(below, again, back).intermediates), ['CN=There', 'CN=Back']);
  });
});
