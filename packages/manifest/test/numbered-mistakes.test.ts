// What the instructions that people followed get wrong, by the number that each mistake has in the list of them (1 to 34).
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { check } from '../src/check/check.ts';
import type { FindingCode } from '../src/finding.ts';
import { ManifestError, type ManifestErrorCode } from '../src/manifest-error.ts';
import { migrate } from '../src/migrate.ts';
import { credentials, goldenRoot } from './golden-cases.ts';
import { endpoint } from './oracle.ts';

const sample = readFileSync(join(goldenRoot, 'migrate', 'sample', 'input.yaml'), 'utf8');
/** The sample, migrated with its certificate: each mistake is made in it. */
const right = migrate(sample, { endpoint, certificate: credentials }).text;

type Outcome =
  /** `check` finds it, `migrate` repairs it and says so. */
  | { readonly repaired: FindingCode; readonly found?: FindingCode; readonly result?: 'equal' | 'other' }
  /** `check` finds it, `migrate` says it and leaves it: it is not for a migration to change. */
  | { readonly warned: FindingCode }
  /** `check` finds it, `migrate` refuses to go on. */
  | { readonly refused: ManifestErrorCode; readonly found: FindingCode }
  /** It is no mistake for a manifest: nobody says anything. */
  | { readonly accepted: true };

interface Row {
  readonly numbers: readonly number[];
  readonly what: string;
  /** From the migrated sample to the mistake; the sample itself is not touched where it has the mistake already. */
  readonly make: readonly (readonly [from: string | RegExp, to: string])[];
  readonly outcome: Outcome;
}

const mount = '        - name: client-certificate\n          mountPath: /etc/mtls\n          readOnly: true\n';
const volumes =
  '      volumes:\n      - name: client-certificate\n        secret:\n          secretName: d1-client-certificate\n          defaultMode: 256 # octal 0400\n';

const rows: readonly Row[] = [
  {
    numbers: [1],
    what: 'the Secret has the name of the token’s',
    make: [[/name: d1-client-certificate\n {2}namespace/, 'name: d1-account-token\n  namespace']],
    outcome: { repaired: 'SECRET_SHARES_TOKEN_NAME' },
  },
  {
    numbers: [2],
    what: 'the volume names a Secret that nobody makes',
    make: [['secretName: d1-client-certificate', 'secretName: kubernetes-delegate-client-certificate']],
    outcome: { repaired: 'SECRET_NAME_MISMATCH' },
  },
  {
    numbers: [2],
    what: 'the upgrader’s volume names a Secret that nobody makes',
    make: [[/(kind: CronJob[\s\S]*secretName: )d1-client-certificate/, '$1kubernetes-delegate-client-certificate']],
    outcome: { repaired: 'SECRET_NAME_MISMATCH' },
  },
  {
    numbers: [3],
    what: 'a stray value stands in the mount',
    make: [
      ['          mountPath: /etc/mtls\n', '          mountPath: /etc/mtls\n          value: "/etc/mtls/client.crt"\n'],
    ],
    outcome: { repaired: 'MOUNT_UNKNOWN_FIELD' },
  },
  {
    numbers: [4],
    what: 'the volumes stand in the container',
    make: [
      [volumes, ''],
      [mount, mount + volumes.replaceAll(/^ {6}/gm, '        ')],
    ],
    outcome: { repaired: 'MISPLACED_LIST', result: 'other' },
  },
  {
    numbers: [5],
    what: 'the name MANAGER_HOST_AND_PORT was replaced by the URL',
    make: [['- name: MANAGER_HOST_AND_PORT', `- name: ${endpoint}`]],
    outcome: { repaired: 'MANAGER_RENAMED' },
  },
  {
    numbers: [6],
    what: 'the FQDN is still a placeholder',
    make: [[`value: ${endpoint}\n`, 'value: https://<YOUR_FQDN>.agent.example.com\n']],
    outcome: { repaired: 'MANAGER_OLD', found: 'ENDPOINT_INVALID' },
  },
  {
    numbers: [6],
    what: 'the FQDN was put where its prefix belongs',
    make: [[`value: ${endpoint}\n`, 'value: https://blue.agent.example.com.agent.example.com\n']],
    outcome: { repaired: 'MANAGER_OLD', found: 'ENDPOINT_INVALID' },
  },
  {
    numbers: [7],
    what: 'the prefix was taken for a directory',
    make: [[`value: ${endpoint}\n`, 'value: https://agent.example.com/blue\n']],
    outcome: { repaired: 'MANAGER_OLD', found: 'ENDPOINT_INVALID' },
  },
  {
    numbers: [8],
    what: 'the upgrader keeps its old managerHost',
    make: [[`managerHost: ${endpoint}`, 'managerHost: https://manager.example.com']],
    outcome: { repaired: 'UPGRADER_OLD_HOST' },
  },
  {
    numbers: [8],
    what: 'the upgrader’s certificate paths stand below delegateConfig',
    make: [[/\n {4}(clientCertificate(?:Key)?FilePath)/g, '\n      $1']],
    outcome: { repaired: 'UPGRADER_KEY_MISPLACED', result: 'other' },
  },
  {
    numbers: [9],
    what: 'volume and mount of the CronJob have different names',
    make: [
      [
        '            - name: client-certificate\n              secret',
        '            - name: config-certificate\n              secret',
      ],
    ],
    outcome: { repaired: 'VOLUME_NAME_MISMATCH' },
  },
  {
    numbers: [16],
    what: 'GRPC_AUTHORITY_MODIFICATION_DISABLED is not set',
    make: [['        - name: GRPC_AUTHORITY_MODIFICATION_DISABLED\n          value: "true"\n', '']],
    outcome: { repaired: 'GRPC_AUTHORITY_MISSING' },
  },
  {
    numbers: [18],
    what: 'the mode is decimal',
    make: [['defaultMode: 256', 'defaultMode: 400']],
    outcome: { repaired: 'DEFAULT_MODE_DECIMAL' },
  },
  {
    numbers: [19],
    what: 'the mounts stand in the pod spec',
    make: [
      [`        volumeMounts:\n${mount}`, ''],
      [volumes, `${volumes}      volumeMounts:\n${mount.replaceAll(/^ {2}/gm, '')}`],
    ],
    outcome: { repaired: 'MISPLACED_LIST' },
  },
  {
    numbers: [19],
    what: 'the volumes stand in the CronJob’s jobTemplate.spec',
    make: [
      [/( {12}- name: client-certificate\n {14}secret:\n[\s\S]*)$/, ''],
      [/$/, jobTemplateVolumes()],
    ],
    outcome: { repaired: 'MISPLACED_LIST', result: 'other' },
  },
  {
    numbers: [19],
    what: 'volumeMounts is a key of containers, which is a list',
    make: [['      containers:\n', '      containers:\n        volumeMounts: []\n']],
    outcome: { refused: 'YAML_INVALID', found: 'YAML_INVALID' },
  },
  {
    numbers: [20],
    what: 'a second volumes key was added',
    make: [[volumes, `      volumes:\n      - name: cache\n        emptyDir: {}\n${volumes}`]],
    outcome: { repaired: 'DUPLICATE_KEY', result: 'other' },
  },
  {
    numbers: [21],
    what: 'TI_SERVICE_URL is at the old host',
    make: [
      [
        '        - name: NEXT_GEN',
        '        - name: TI_SERVICE_URL\n          value: https://manager.example.com/ti-service/\n        - name: NEXT_GEN',
      ],
    ],
    outcome: { repaired: 'TI_SERVICE_BYPASSES_MTLS', result: 'other' },
  },
  {
    numbers: [22],
    what: 'LOG_STREAMING_SERVICE_URL is at the old host',
    make: [[`"${endpoint}/log-service/"`, '"https://manager.example.com/log-service/"']],
    outcome: { repaired: 'LOG_SERVICE_BYPASSES_MTLS' },
  },
  {
    numbers: [23],
    what: 'LOG_STREAMING_SERVICE_URL is not set: the delegate derives it',
    make: [[/ {8}- name: LOG_STREAMING_SERVICE_URL\n.*\n/, '']],
    outcome: { accepted: true },
  },
  {
    numbers: [25],
    what: 'the tag is the example’s',
    make: [[/(image: .*delegate):[\d.]+/, '$1:yy.mm.verno']],
    outcome: { refused: 'IMAGE_NOT_IMMUTABLE', found: 'IMAGE_NOT_IMMUTABLE' },
  },
  {
    numbers: [25],
    what: 'the tag is that of a minimal image',
    make: [[/(image: .*delegate:[\d.]+)/, '$1.minimal']],
    outcome: { accepted: true },
  },
  { numbers: [27], what: 'the HPA’s target is not there', make: [], outcome: { warned: 'HPA_TARGET_MISSING' } },
  { numbers: [28], what: 'the selector is everybody’s', make: [], outcome: { warned: 'SELECTOR_SHARED' } },
  {
    numbers: [29],
    what: 'the upgrader’s image moves, which is its own affair',
    make: [[/(upgrader):latest/, '$1:newest']],
    outcome: { accepted: true },
  },
  {
    numbers: [31],
    what: 'the Secret stands behind what waits for it',
    make: [
      [/apiVersion: v1\nkind: Secret\nmetadata:\n {2}name: d1-client-certificate[\s\S]*?---\n/, ''],
      [
        /$/,
        `\n---\n${/apiVersion: v1\nkind: Secret\nmetadata:\n {2}name: d1-client-certificate[\s\S]*?(?=---\n)/.exec(right)?.[0] ?? ''}`,
      ],
    ],
    outcome: { warned: 'SECRET_ORDER' },
  },
  {
    numbers: [32],
    what: 'a subPath mount never sees the renewed certificate',
    make: [['          mountPath: /etc/mtls\n', '          mountPath: /etc/mtls\n          subPath: client.crt\n']],
    outcome: { refused: 'SUBPATH_MOUNT', found: 'SUBPATH_MOUNT' },
  },
  {
    numbers: [12, 33],
    what: 'a document marker is glued to the text before it',
    make: [['\n---\n\n# The agent', '---\n\n# The agent']],
    outcome: { refused: 'DUPLICATE_KEY', found: 'DUPLICATE_KEY' },
  },
  {
    numbers: [11, 33],
    what: 'the indentation is lost',
    make: [[/^ +/gm, '']],
    outcome: { refused: 'YAML_INVALID', found: 'YAML_INVALID' },
  },
];

/** Those that no manifest can have, and where they are taken care of. */
const elsewhere: Readonly<Record<number, string>> = {
  10: 'a command line for openssl: "sallyport cert" makes the files',
  13: 'a word in a comment, and the numbers of steps',
  14: 'the form of a certificate: accepted, and CERTIFICATE_CONCERN says that it is version 1 (golden/check/certificate-expires-soon)',
  15: 'a configuration of openssl that has no effect',
  17: 'docker is a form of its own (golden/migrate/docker-run, compose)',
  24: 'docker mounts files, Kubernetes a directory: both are right (golden/migrate/docker-run)',
  26: 'the endpoint has a port of its own (golden/migrate/endpoint-with-port)',
  30: 'the precheck without a certificate is the server’s affair',
  34: 'two numbers for one length of time',
};

function jobTemplateVolumes(): string {
  return [
    '      volumes:',
    '      - name: client-certificate',
    '        secret:',
    '          secretName: d1-client-certificate',
    '          defaultMode: 288\n',
  ].join('\n');
}

test('every number from 1 to 34 has a row, or a reason why it can have none', () => {
  const numbers = new Set([...rows.flatMap((row) => row.numbers), ...Object.keys(elsewhere).map(Number)]);
  assert.deepEqual(
    [...numbers].sort((a, b) => a - b),
    Array.from({ length: 34 }, (_, index) => index + 1),
  );
});

describe('mistake', () => {
  for (const { numbers, what, make, outcome } of rows) {
    test(`${numbers.join(' and ')}: ${what}`, () => {
      const text = make.reduce((before, [from, to]) => {
        const after = before.replace(from, to);
        assert.notEqual(after, before, `${String(from)} is in the text`);
        return after;
      }, right);
      const found = check(text, { endpoint }).map(({ code }) => code);
      const usual = check(right, { endpoint }).map(({ code }) => code);
      if ('accepted' in outcome) {
        assert.deepEqual(found, usual);
        assert.deepEqual(migrate(text, { endpoint }).changes, []);
      } else if ('refused' in outcome) {
        assert.ok(found.includes(outcome.found), found.join());
        assert.throws(
          () => migrate(text, { endpoint }),
          (error) => error instanceof ManifestError && error.code === outcome.refused && error.line !== undefined,
        );
      } else if ('warned' in outcome) {
        assert.ok(found.includes(outcome.warned), found.join());
        const { warnings, changes } = migrate(text, { endpoint });
        assert.ok(warnings.some(({ code }) => code === outcome.warned));
        assert.deepEqual(changes, []);
      } else {
        const code = outcome.found ?? outcome.repaired;
        assert.ok(found.includes(code) && !usual.includes(code), found.join());
        const { text: repaired, repaired: said } = migrate(text, { endpoint });
        assert.ok(
          said.some((each) => each.code === outcome.repaired && each.line > 0 && each.what.length > 10),
          JSON.stringify(said),
        );
        assert.ok(!check(repaired, { endpoint }).some((each) => each.code === code));
        assert.deepEqual(migrate(repaired, { endpoint }).changes, [], 'and again changes nothing');
        // A comment behind a value that was set anew stays where it was, and so the text is that from before.
        if (outcome.result !== 'other') assert.equal(repaired, right);
      }
    });
  }
});
