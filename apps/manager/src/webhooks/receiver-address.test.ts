import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isAllowed } from './receiver-address.ts';

const STRICT = { privateAddresses: false, loopbackHttp: false };
const PRIVATE = { privateAddresses: true, loopbackHttp: false };
const LOOPBACK = { privateAddresses: false, loopbackHttp: true };

const PUBLIC = ['93.184.215.14', '1.1.1.1', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '2a00:1450:4001::200e'];

const INSIDE = [
  ...['127.0.0.1', '127.255.255.254', '10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', '100.64.0.1'],
  ...['198.18.0.1', '::1', 'fc00::1', 'fd12:3456::1'],
];

const NEVER = [
  ...['0.0.0.0', '0.1.2.3', '169.254.169.254', '169.254.0.1', '192.0.0.192', '168.63.129.16', '100.100.100.200'],
  ...['224.0.0.1', '239.255.255.250', '240.0.0.1', '255.255.255.255', '192.0.2.1', '198.51.100.1', '203.0.113.1'],
  ...['::', 'fe80::1', 'fe80::1%eth0', 'fec0::1', 'ff02::1', 'fd00:ec2::254', 'fd20:ce::254', '2001:db8::1', '2001::1'],
  // IPv4 inside IPv6: mapped, compatible, translated, 6to4, NAT64.
  ...['::ffff:127.0.0.1', '::ffff:10.0.0.1', '::ffff:7f00:1', '::ffff:93.184.215.14', '::127.0.0.1'],
  ...['::ffff:0:127.0.0.1', '2002:7f00:1::', '64:ff9b::7f00:1', '64:ff9b:1::a00:1'],
  ...['example.com', '127.0.0.1.example.com', '', '0x7f.1', '1'],
];

test('public addresses are allowed by https, whatever else is', () => {
  for (const address of PUBLIC) {
    assert.equal(isAllowed(address, 'https:', STRICT), true, address);
    assert.equal(isAllowed(address, 'https:', PRIVATE), true, address);
  }
});

test('addresses inside the network are allowed when the operator says so', () => {
  for (const address of INSIDE) {
    assert.equal(isAllowed(address, 'https:', STRICT), false, address);
    assert.equal(isAllowed(address, 'https:', LOOPBACK), false, address);
    assert.equal(isAllowed(address, 'https:', PRIVATE), true, address);
  }
});

test('metadata services, multicast, unassigned addresses, and IPv4 hidden in IPv6 are never allowed', () => {
  for (const address of NEVER) {
    for (const rules of [STRICT, PRIVATE, LOOPBACK]) {
      for (const protocol of ['https:', 'http:']) assert.equal(isAllowed(address, protocol, rules), false, address);
    }
  }
});

test('plain http goes to loopback only, and only when the operator says so', () => {
  for (const address of ['127.0.0.1', '127.9.9.9', '::1']) {
    assert.equal(isAllowed(address, 'http:', LOOPBACK), true, address);
    assert.equal(isAllowed(address, 'http:', PRIVATE), false, address);
  }
  for (const address of ['10.0.0.1', '93.184.215.14', 'fd12::1']) {
    assert.equal(isAllowed(address, 'http:', LOOPBACK), false, address);
    assert.equal(isAllowed(address, 'http:', { privateAddresses: true, loopbackHttp: true }), false, address);
  }
  assert.equal(isAllowed('93.184.215.14', 'ftp:', PRIVATE), false);
});
