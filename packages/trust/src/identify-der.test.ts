import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { describe, it } from 'node:test';
import { makeCa, makeClient } from '../test/certificate-maker.ts';
import { OpensslFolder, skip } from '../test/openssl.ts';
import { DerError } from './der.ts';
import { certificatesOfPkcs7, identifyDer } from './identify-der.ts';
import { createSigningRequest } from './issuance/index.ts';
import { readPemBlocks } from './pem.ts';

const bytes = (pem: string): Uint8Array => readPemBlocks(pem)[0]?.der ?? new Uint8Array();

describe('identifyDer', () => {
  it('tells by the outermost elements what a file without a label is', { skip }, async () => {
    const folder = new OpensslFolder();
    folder.run('openssl req -x509 -newkey rsa:1024 -nodes -days 9 -subj /CN=CA -keyout ca.key -out ca.crt');
    folder.run('openssl req -new -key ca.key -subj /CN=d -out d.csr');
    folder.run('openssl x509 -req -in d.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 5 -out v1.crt');
    folder.run('openssl crl2pkcs7 -nocrl -certfile ca.crt -certfile v1.crt -out both.p7b');
    folder.write('crl.cnf', '[ca]\ndefault_ca=d\n[d]\ndatabase=index\ndefault_md=sha256\ndefault_crl_days=9\n');
    folder.write('index', '');
    folder.run('openssl ca -gencrl -config crl.cnf -keyfile ca.key -cert ca.crt -out ca.crl');
    folder.run('openssl pkey -in ca.key -pubout -out ca.pub');
    folder.run('openssl pkey -in ca.key -aes256 -passout pass:x -out locked.key');
    folder.run('openssl rsa -in ca.key -traditional -out pkcs1.key');
    folder.run('openssl ecparam -name prime256v1 -genkey -noout -out sec1.key');
    const kinds = {
      'ca.crt': 'certificate',
      'v1.crt': 'certificate',
      'd.csr': 'request',
      'ca.crl': 'revocation list',
      'both.p7b': 'PKCS#7',
      'ca.key': 'PKCS#8 key',
      'locked.key': 'encrypted PKCS#8 key',
      'pkcs1.key': 'PKCS#1 key',
      'sec1.key': 'SEC 1 key',
      'ca.pub': 'public key',
    };
    for (const [file, kind] of Object.entries(kinds)) assert.equal(identifyDer(bytes(folder.read(file))), kind, file);
    const found = certificatesOfPkcs7(bytes(folder.read('both.p7b'))).map((der) => Buffer.from(der).toString('hex'));
    const wanted = ['ca.crt', 'v1.crt'].map((file) => Buffer.from(bytes(folder.read(file))).toString('hex'));
    assert.deepEqual(found.sort(), wanted.sort());
  });

  it('knows what we make, and takes nothing else for it', async () => {
    const root = await makeCa({ subject: 'Root' });
    const client = await makeClient({ subject: 'd', issuer: root });
    const { requestPem } = await createSigningRequest({ name: 'd', keyAlgorithm: 'EC P-256' });
    assert.equal(identifyDer(client.der), 'certificate');
    assert.equal(identifyDer(bytes(client.keyPem)), 'PKCS#8 key');
    assert.equal(identifyDer(bytes(requestPem)), 'request');
    const sec1 = createPrivateKey(client.keyPem).export({ type: 'sec1', format: 'der' });
    assert.equal(identifyDer(sec1), 'SEC 1 key');
    for (const other of [
      [],
      [0x30],
      [0x30, 0x00],
      [0x30, 0x80, 0x04],
      [0x30, 0x86, 0x02, 0x01, 0x03],
      [0x30, 0x82, 0xff, 0xff, 1],
      [0xfe, 0xed],
    ]) {
      assert.equal(identifyDer(Uint8Array.from(other)), null, other.join());
    }
    assert.equal(identifyDer(client.der.subarray(0, 200)), null);
    // A container is known even when it is BER or cut off.
    assert.equal(identifyDer(Uint8Array.of(0x30, 0x80, 0x02, 0x01, 0x03)), 'PKCS#12');
    assert.equal(identifyDer(Buffer.from('308006092a864886f70d010702a0', 'hex')), 'PKCS#7');
    assert.throws(() => certificatesOfPkcs7(client.der), DerError);
  });
});

describe('readPemBlocks', () => {
  it('leaves a key that is encrypted in the old way as OpenSSL reads it', { skip }, () => {
    const folder = new OpensslFolder();
    folder.run('openssl genrsa -traditional -aes128 -passout pass:horse -out old.key 1024');
    const [block] = readPemBlocks(`Bag Attributes\n\n${folder.read('old.key').replaceAll('\n', '\r\n')}`);
    assert.equal(block?.der, null);
    assert.equal(createPrivateKey({ key: block?.text ?? '', passphrase: 'horse' }).asymmetricKeyType, 'rsa');
  });
});
