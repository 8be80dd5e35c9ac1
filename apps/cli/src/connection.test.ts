import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readEnvironment } from './config/environment.ts';
import { accountOfKey, apiOrigin, type GlobalOptions, resolveConnection } from './connection.ts';
import type { Profile } from './profiles.ts';

const work: Profile = {
  url: 'https://work.example',
  key: 'pat.acme.id.secret',
  caFile: '/work/ca.crt',
  account: 'acme',
};
const home: Profile = { url: 'https://home.example:7443', key: 'sat.id.home' };

function resolve(options: GlobalOptions, variables: Record<string, string> = {}, current: string | null = 'work') {
  const profiles = new Map([
    ['work', work],
    ['home', home],
  ]);
  const stored = { file: '/profiles.json', current, profiles, readableByOthers: false };
  return resolveConnection(options, readEnvironment(variables), stored);
}

test('the current profile serves when nothing else is said', () => {
  assert.deepEqual(resolve({}), { ...work, caFile: '/work/ca.crt', account: 'acme' });
});

test('options win over the environment, the environment over the current profile', () => {
  const variables = {
    SALLYPORT_URL: 'https://work.example',
    SALLYPORT_API_KEY: 'sat.id.env',
    SALLYPORT_ACCOUNT: 'env',
  };
  assert.equal(resolve({}, variables).key, 'sat.id.env');
  assert.equal(resolve({}, variables).account, 'env');
  assert.equal(resolve({ apiKey: 'sat.id.option', account: 'option' }, variables).key, 'sat.id.option');
  assert.equal(resolve({ account: 'option' }, variables).account, 'option');
});

test('a profile named by --profile wins over the environment; one named by SALLYPORT_PROFILE does not', () => {
  const variables = { SALLYPORT_URL: 'https://env.example', SALLYPORT_API_KEY: 'sat.id.env' };
  assert.equal(resolve({ profile: 'home' }, variables).url, home.url);
  assert.equal(resolve({ profile: 'home' }, variables).key, home.key);
  assert.equal(resolve({}, { ...variables, SALLYPORT_PROFILE: 'home' }).url, 'https://env.example');
  assert.equal(resolve({}, { SALLYPORT_PROFILE: 'home' }).url, home.url);
});

test('a key that is stored for one control plane never goes to another one', () => {
  assert.throws(() => resolve({ url: 'https://evil.example' }), /no API key for https:\/\/evil\.example/);
  assert.throws(() => resolve({}, { SALLYPORT_URL: 'https://evil.example' }), { code: 'NO_API_KEY', exit: 4 });
  // The port and the host's last letter count too.
  assert.throws(() => resolve({ url: 'https://work.example:8443' }), { code: 'NO_API_KEY' });
  // A pair in the environment belongs together as well.
  const pair = { SALLYPORT_URL: 'https://env.example', SALLYPORT_API_KEY: 'sat.id.env' };
  assert.throws(() => resolve({ url: 'https://evil.example' }, pair), { code: 'NO_API_KEY' });
});

test('a key given without a URL of its own goes to the control plane that is named', () => {
  assert.equal(resolve({ url: 'https://other.example' }, { SALLYPORT_API_KEY: 'sat.id.env' }).key, 'sat.id.env');
  assert.equal(resolve({ url: 'https://WORK.example/' }).key, work.key);
});

test("an account's key names its account when nothing else does; an operator's key names none", () => {
  assert.equal(accountOfKey('pat.acme.id.secret'), 'acme');
  assert.equal(accountOfKey('sat.id.secret'), undefined);
  const url = 'https://new.example';
  assert.equal(resolve({ url, apiKey: 'pat.blue.id.secret' }).account, 'blue');
  assert.equal(resolve({ url, apiKey: 'sat.id.secret' }).account, undefined);
});

test('a key given for one command goes before the account of a profile that was stored for another key', () => {
  assert.equal(resolve({}, { SALLYPORT_API_KEY: 'pat.blue.id.secret' }).account, 'blue');
  assert.equal(resolve({ apiKey: 'pat.blue.id.secret', account: 'green' }).account, 'green');
  // An operator's key names no account, so that the profile's choice still helps.
  assert.equal(resolve({}, { SALLYPORT_API_KEY: 'sat.id.secret' }).account, 'acme');
});

test('a profile that does not exist is named with those that do', () => {
  assert.throws(() => resolve({ profile: 'wrok' }), {
    exit: 2,
    message: 'There is no profile "wrok".',
    remedy: 'Name one of: work, home.',
  });
});

test('what is not https://host[:port] is refused before a key is read', () => {
  for (const url of [
    'http://work.example',
    'work.example',
    'https://u:p@work.example',
    'https://work.example/x',
    'ftp://x',
  ]) {
    assert.throws(() => apiOrigin(url), { exit: 2 }, url);
  }
  assert.throws(() => resolve({ url: 'http://work.example' }), { exit: 2 });
});
