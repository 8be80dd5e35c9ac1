import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endpointFault, parseEndpoint } from './endpoint.ts';
import { imageFault, parseImage } from './image-tag.ts';

test('an endpoint is a scheme, a host and perhaps a port, in canonical form', () => {
  assert.equal(parseEndpoint('https://Blue.Agent.Example.com:443/').url, 'https://blue.agent.example.com');
  const { url, logServiceUrl, tiServiceUrl } = parseEndpoint('https://blue.agent.localhost:8443');
  assert.equal(url, 'https://blue.agent.localhost:8443');
  assert.equal(logServiceUrl, 'https://blue.agent.localhost:8443/log-service/');
  assert.equal(tiServiceUrl, 'https://blue.agent.localhost:8443/ti-service/');
});

const faults: [string, RegExp][] = [
  ['blue.agent.example.com', /no scheme/],
  ['http://blue.agent.example.com', /scheme is http/],
  ['https://', /not a URL/],
  ['https://user:secret@blue.agent.example.com', /user name/],
  ['https://blue.agent.example.com/prefix', /has a path/],
  ['https://blue.agent.example.com?x=1', /has a path/],
  ['https://[::1]', /IP address/],
  ['https://127.0.0.1:8443', /IP address/],
  ['https://blue.agent.example.com.', /ends with a dot/],
  ['https://blue', /one label/],
  ['https://*.agent.example.com', /not a host name|not a URL/],
  ['https://blue.agent.example.com.agent.example.com', /twice/],
  ['https://<YOUR_FQDN>.agent.example.com', /placeholder/],
  ['PUT_YOUR_MANAGER_ENDPOINT', /placeholder/],
];
for (const [text, reason] of faults) {
  test(`"${text}" is no endpoint`, () => assert.match(endpointFault(text) ?? '', reason));
}

test('immutable images have a tag yy.mm.number, perhaps minimal, in whatever registry', () => {
  for (const tag of ['25.09.86700', '26.02.88404', '25.09.1.minimal']) {
    assert.equal(imageFault(`registry.example.com:5000/a/delegate:${tag}`), undefined);
    assert.equal(imageFault(`delegate:${tag}@sha256:${'0'.repeat(64)}`), undefined);
  }
  for (const image of [
    'delegate',
    'delegate:latest',
    'delegate:25.9.1',
    'delegate:25.09.x',
    'delegate:25.09.1.ubi',
    'host:5000/delegate',
    'PUT_YOUR_DELEGATE_IMAGE',
  ]) {
    assert.match(imageFault(image) ?? '', /immutable image/, image);
  }
  assert.deepEqual(parseImage('host:5000/delegate'), { repository: 'host:5000/delegate', tag: undefined });
});
