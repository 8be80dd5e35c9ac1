import { mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { machineFiles } from '@sallyport/doctor';
import type { Case, Rig } from './rig.ts';

const CERTIFICATE = 'DELEGATE_CLIENT_CERTIFICATE_PATH';
const KEY = 'DELEGATE_CLIENT_CERTIFICATE_KEY_PATH';

/** A Secret as the kubelet mounts it: files that are links into a folder, which is a link itself. */
function mountedSecret(rig: Rig, names: readonly string[]): string {
  const folder = dirname(rig.file('.keep', ''));
  mkdirSync(join(folder, '..2026_11_21'));
  symlinkSync('..2026_11_21', join(folder, '..data'));
  for (const name of names) symlinkSync(`..data/${name}`, join(folder, name));
  return folder;
}

/** Somebody who does not own what this process has written. */
const nobody = () => ({ uid: (process.getuid?.() ?? 0) + 1000, gids: [4_000_000] });

export const FILE_CASES: readonly Case[] = [
  {
    name: 'the extra CA file is not there',
    cause: 'ca-file',
    says: /ca\.pem is not there/,
    broken: (rig) => ({ environment: rig.mtls({ SALLYPORT_EXTRA_CA_FILE: join(rig.folder, 'ca.pem') }) }),
  },
  {
    name: 'the extra CA file holds no certificate',
    cause: 'ca-file',
    says: /holds no certificate in PEM form/,
    broken: (rig) => ({ environment: rig.mtls({ SALLYPORT_EXTRA_CA_FILE: rig.file('ca.pem', 'not a certificate') }) }),
  },
  {
    name: 'the certificate file is not there',
    cause: 'file-access',
    says: /client\.crt is not there/,
    broken: (rig) => ({ environment: rig.mtls({ [CERTIFICATE]: join(rig.folder, 'client.crt') }) }),
  },
  {
    name: "the key belongs to root, and the delegate's user may not read it",
    cause: 'file-access',
    says: /client\.key cannot be read: user \d+ may not \(mode 0400/,
    broken: (rig) => {
      const key = rig.file('client.key', rig.client.privateKeyPem, 0o400);
      const environment = rig.mtls({
        [CERTIFICATE]: rig.file('client.crt', rig.client.certificatePem, 0o644),
        [KEY]: key,
      });
      return { environment: { ...environment, SALLYPORT_EXTRA_CA_FILE: '' }, files: machineFiles({ user: nobody() }) };
    },
  },
  {
    name: 'links were copied out of a pod without what they lead to',
    cause: 'file-access',
    says: /is a link to \.\.data\/client\.crt.*nothing is there/,
    broken: (rig) => {
      const folder = mountedSecret(rig, ['client.crt', 'client.key']);
      return {
        environment: rig.mtls({ [CERTIFICATE]: join(folder, 'client.crt'), [KEY]: join(folder, 'client.key') }),
      };
    },
  },
  {
    name: 'docker made a folder where the file to mount was missing',
    cause: 'file-access',
    says: /client\.key is a folder/,
    broken: (rig) => {
      const path = join(dirname(rig.file('.keep', '')), 'client.key');
      mkdirSync(path);
      return { environment: rig.mtls({ [KEY]: path }) };
    },
  },
  {
    name: 'everybody may read the key',
    cause: 'file-mode',
    status: 'warn',
    says: /mode 0644: every user/,
    broken: (rig) => ({ environment: rig.mtls({ [KEY]: rig.file('client.key', rig.client.privateKeyPem, 0o644) }) }),
  },
  {
    name: 'defaultMode: 400 without the leading zero',
    cause: 'file-mode',
    status: 'warn',
    says: /mode 0620: that is decimal 400/,
    broken: (rig) => ({ environment: rig.mtls({ [KEY]: rig.file('client.key', rig.client.privateKeyPem, 0o620) }) }),
  },
  {
    name: 'the certificate is mounted with subPath',
    cause: 'file-rotation',
    status: 'warn',
    says: /mounted one by one \(subPath\)/,
    broken: (rig) => {
      const environment = rig.mtls();
      const line = `31 22 0:25 /x ${environment[CERTIFICATE]} ro,relatime - tmpfs tmpfs rw\n`;
      return { environment, files: machineFiles({ mountInfoPath: rig.file('mountinfo', line) }) };
    },
  },
  {
    name: 'only one of the files comes out of the mounted Secret',
    cause: 'file-rotation',
    status: 'warn',
    says: /only one lies in a mounted Secret/,
    broken: (rig) => {
      const at = rig.file('..data/client.crt', rig.client.certificatePem);
      const link = join(dirname(dirname(at)), 'client.crt');
      symlinkSync('..data/client.crt', link);
      return { environment: rig.mtls({ [CERTIFICATE]: link }) };
    },
  },
];
