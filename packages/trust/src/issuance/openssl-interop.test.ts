// Made with one, verified with the other, both ways.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import { OpensslFolder, skip } from '../../test/openssl.ts';
import { readCaBundle } from '../ca-bundle.ts';
import { describeCertificate } from '../client-certificate.ts';
import { verifyClientCertificate } from '../verify-by-handshake.ts';
import { findWeaknesses } from '../weaknesses.ts';
import {
  createAuthority,
  createSigningRequest,
  issueClientCertificate,
  issueServerCertificate,
  renew,
  signRequest,
} from './index.ts';
import { readPrivateKey } from './private-key.ts';

const fqdn = 'blue.agent.example.test';

describe('what is made here', { skip }, () => {
  it('verifies with openssl, and its keys and requests read', async () => {
    const folder = new OpensslFolder();
    const now = new Date();
    const authority = await createAuthority({
      subject: { country: 'DE', organization: 'Örg, "x" + y', commonName: 'CA' },
      now,
    });
    const locked = await createAuthority({
      subject: { commonName: 'Locked' },
      keyAlgorithm: 'EC P-256',
      now,
      passphrase: 'secret',
    });
    const client = await issueClientCertificate({ authority, name: 'delegate-1', keyAlgorithm: 'EC P-384', now });
    const server = await issueServerCertificate({ authority, dnsNames: ['localhost'], ipAddresses: ['::1'], now });
    const request = await createSigningRequest({ name: 'my delegate', keyAlgorithm: 'EC P-256' });
    const signed = await signRequest({ authority, requestPem: request.requestPem, now });
    folder.write('ca.crt', authority.certificatePem);
    folder.write('locked.crt', locked.certificatePem);
    folder.write('locked.key', locked.privateKeyPem);
    folder.write('client.crt', client.certificatePem);
    folder.write('client.key', client.privateKeyPem);
    folder.write('server.crt', server.certificatePem);
    folder.write('signed.crt', signed.certificatePem);
    folder.write('request.csr', request.requestPem);
    const strict = '-x509_strict -CAfile ca.crt';
    assert.match(
      folder.run(`openssl verify ${strict} -purpose sslclient client.crt signed.crt`),
      /client.crt: OK\nsigned.crt: OK/,
    );
    assert.match(folder.run(`openssl verify ${strict} -purpose sslserver server.crt`), /OK/);
    assert.ok(!folder.accepts(`openssl verify ${strict} -purpose sslserver client.crt`));
    assert.ok(!folder.accepts(`openssl verify ${strict} -purpose sslclient server.crt`));
    assert.match(
      folder.run('openssl x509 -in client.crt -noout -ext subjectAltName,extendedKeyUsage'),
      /DNS:delegate-1/,
    );
    assert.match(
      folder.run('openssl req -in request.csr -noout -verify -text'),
      /urn:sallyport:delegate:my%20delegate/,
    );
    const publicKey = folder.run('openssl pkey -in locked.key -passin pass:secret -pubout');
    assert.equal(publicKey, folder.run('openssl x509 -in locked.crt -noout -pubkey'));
    assert.ok(!folder.accepts('openssl pkey -in locked.key -passin pass:wrong -pubout'));
    assert.equal(
      folder.run('openssl pkey -in client.key -pubout'),
      folder.run('openssl x509 -in client.crt -noout -pubkey'),
    );
  });
});

describe('what openssl made', { skip }, () => {
  it('by the published recipe, its three mistakes mended, is admitted, weak as it is, and renews as v3', async () => {
    const folder = new OpensslFolder();
    folder.run(
      'openssl req -x509 -sha256 -nodes -days 9999 -newkey rsa:2048 -subj "/O=Example ORG/CN=CA Cert" -keyout ca.key -out ca.crt',
    );
    folder.write(
      'client.cnf',
      '[req]\ndefault_bits = 2048\nprompt = no\ndefault_md = sha256\nx509_extensions = v3_req\ndistinguished_name = dn\n\n[dn]\nO = Example ORG\nCN = Client\n\n[v3_req]\n# empty\n',
    );
    folder.run('openssl req -new -config client.cnf -nodes -out client.csr -keyout client.key');
    folder.run(
      'openssl x509 -req -sha256 -days 9999 -extfile client.cnf -extensions v3_req -CAcreateserial -CA ca.crt -CAkey ca.key -in client.csr -out client.crt',
    );
    assert.match(folder.run('openssl verify -purpose sslclient -CAfile ca.crt client.crt'), /OK/);
    const bundlePem = folder.read('ca.crt');
    const now = new Date();
    const certificatePem = folder.read('client.crt');
    const { verdict, anchor } = await verifyClientCertificate({
      bundlePem,
      certificatePem,
      keyPem: folder.read('client.key'),
      fqdn,
      now,
    });
    assert.ok(verdict.admitted);
    const [authority] = readCaBundle(bundlePem, now).authorities;
    assert.equal(anchor, authority?.fingerprint256);
    assert.equal(authority?.subject, 'CN=CA Cert, O=Example ORG');

    const ca = { certificatePem: bundlePem, privateKeyPem: folder.read('ca.key') };
    const fresh = await renew({ authority: ca, certificatePem, name: 'delegate-1', keyAlgorithm: 'EC P-256', now });
    assert.equal(fresh.facts.subject, 'CN=Client, O=Example ORG');
    assert.deepEqual(fresh.facts.sans, [{ type: 'dns', value: 'delegate-1' }]);
    folder.write('fresh.crt', fresh.certificatePem);
    assert.match(folder.run('openssl verify -purpose sslclient -CAfile ca.crt fresh.crt'), /OK/);
    const { facts } = await renew({
      authority: ca,
      certificatePem,
      keep: { privateKeyPem: folder.read('client.key') },
      now,
    });
    assert.equal(facts.keyAlgorithm, 'RSA 2048');

    const old = describeCertificate(new X509Certificate(certificatePem));
    const codes = findWeaknesses(old, now).map(({ code }) => code);
    assert.deepEqual(codes.sort(), ['LONG_VALIDITY', 'NO_PURPOSE', 'NO_SAN', 'SHARED_NAME', 'X509_V1']);
    assert.ok(findWeaknesses(old, now).every(({ fatal }) => !fatal));
  });

  it('reads: keys in every form, with a passphrase or without', async () => {
    const folder = new OpensslFolder();
    folder.run('openssl genrsa -traditional -out pkcs1.key 2048');
    folder.run('openssl ecparam -name prime256v1 -genkey -out sec1.key');
    folder.run('openssl pkcs8 -topk8 -in sec1.key -passout pass:secret -out default.key');
    folder.run(
      'openssl pkcs8 -topk8 -in pkcs1.key -passout pass:secret -v2 aes-128-cbc -v2prf hmacWithSHA1 -out sha1.key',
    );
    folder.run('openssl pkcs8 -topk8 -in pkcs1.key -passout pass:secret -scrypt -out scrypt.key');
    folder.run('openssl rsa -in pkcs1.key -traditional -aes128 -passout pass:secret -out old.key');
    for (const file of ['pkcs1.key', 'sec1.key'])
      assert.equal((await readPrivateKey(folder.read(file))).type, 'private');
    for (const file of ['default.key', 'sha1.key']) {
      assert.equal((await readPrivateKey(folder.read(file), 'secret')).type, 'private');
      await assert.rejects(readPrivateKey(folder.read(file), 'wrong'), { problem: 'PASSPHRASE_WRONG' });
    }
    for (const file of ['scrypt.key', 'old.key']) {
      await assert.rejects(readPrivateKey(folder.read(file), 'secret'), { problem: 'KEY_UNREADABLE' });
    }
  });

  it('signs clients of ours from a CA of its own, with an EC key and an intermediate', async () => {
    const folder = new OpensslFolder();
    folder.run(
      'openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -days 30 -subj "/DC=test/DC=example/CN=Root" -keyout root.key -out root.crt',
    );
    folder.run(
      'openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/DC=test/DC=example/CN=Issuing" -keyout issuing.key -out issuing.csr',
    );
    folder.write(
      'ca.ext',
      'basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid,issuer:always\n',
    );
    folder.run(
      'openssl x509 -req -in issuing.csr -CA root.crt -CAkey root.key -CAcreateserial -days 20 -extfile ca.ext -out issuing.crt',
    );
    const now = new Date();
    const issuing = { certificatePem: folder.read('issuing.crt'), privateKeyPem: folder.read('issuing.key') };
    const client = await issueClientCertificate({ authority: issuing, name: 'd1', keyAlgorithm: 'EC P-256', now });
    folder.write('client.crt', client.certificatePem);
    assert.match(
      folder.run('openssl verify -purpose sslclient -CAfile root.crt -untrusted issuing.crt client.crt'),
      /OK/,
    );
    const common = { bundlePem: folder.read('root.crt'), keyPem: client.privateKeyPem, fqdn, now };
    const whole = await verifyClientCertificate({
      ...common,
      certificatePem: client.certificatePem + issuing.certificatePem,
    });
    assert.ok(whole.verdict.admitted);
    const part = await verifyClientCertificate({ ...common, certificatePem: client.certificatePem });
    assert.equal(!part.verdict.admitted && part.verdict.reason, 'INTERMEDIATE_MISSING', JSON.stringify(part.verdict));
  });
});
