import { certificatePath, keyPath } from '../delegate-variables.ts';
import { at, repairAt } from '../edit/repair.ts';
import type { YamlCursor } from '../edit/yaml-cursor.ts';
import { addPair, removePair, setScalar } from '../edit/yaml-edits.ts';
import type { Endpoint } from '../endpoint.ts';
import type { Problem } from '../finding.ts';

const certificateKeys = { clientCertificateFilePath: certificatePath, clientCertificateKeyFilePath: keyPath } as const;

/** The upgrader's config.yaml: both certificate paths at the top level, and the endpoint as its manager. */
export function* upgraderConfigRules(root: YamlCursor, endpoint: Endpoint | undefined): Iterable<Problem> {
  for (const [key, path] of Object.entries(certificateKeys)) {
    yield* misplacedKey(root, key);
    yield* certificateKey(root, key, path);
  }
  if (endpoint) yield* managerHost(root, endpoint);
}

function* misplacedKey(root: YamlCursor, key: string): Iterable<Problem> {
  const misplaced = root.at('delegateConfig', key);
  if (!misplaced) return;
  yield {
    code: 'UPGRADER_KEY_MISPLACED',
    at: at(misplaced),
    message: `"${key}" stands under delegateConfig, and the upgrader reads it at the top level only.`,
    remedy: 'Move it to the top level of config.yaml.',
    repair: repairAt([misplaced, root], `moved "${key}" from delegateConfig to the top level`, () => [
      ...(root.get(key) ? [] : [addPair(root, key, misplaced.text ?? '')]),
      removePair(misplaced),
    ]),
  };
}

function* certificateKey(root: YamlCursor, key: string, path: string): Iterable<Problem> {
  const present = root.get(key);
  if (present?.text === path) return;
  yield {
    code: present?.text ? 'CERTIFICATE_PATH_WRONG' : 'UPGRADER_CERTIFICATE_MISSING',
    at: at(present ?? root),
    message: present?.text
      ? `"${key}" is "${present.text}", and the certificate is mounted at /etc/mtls.`
      : `The upgrader's config has no "${key}": it connects without a client certificate, which STRICT refuses.`,
    remedy: `Set ${key} to ${path}.`,
    repair: repairAt(present ?? root, `set ${key} of the upgrader to ${path}`, () => [
      present ? setScalar(present, path) : addPair(root, key, path),
    ]),
    independent: true,
  };
}

function* managerHost(root: YamlCursor, endpoint: Endpoint): Iterable<Problem> {
  const present = root.at('delegateConfig', 'managerHost');
  if (present?.text === endpoint.url) return;
  const delegateConfig = root.get('delegateConfig');
  const place = present ?? delegateConfig ?? root;
  yield {
    code: 'UPGRADER_OLD_HOST',
    at: at(place),
    message: `The upgrader's managerHost is "${present?.text ?? ''}": STRICT refuses it there, and LOOSE lets it run without mTLS.`,
    remedy: `Set managerHost to ${endpoint.url}.`,
    repair: repairAt(place, `set managerHost of the upgrader to ${endpoint.url}`, () => {
      if (present) return [setScalar(present, endpoint.url)];
      if (delegateConfig) return [addPair(delegateConfig, 'managerHost', endpoint.url)];
      return [addPair(root, 'delegateConfig', { managerHost: endpoint.url })];
    }),
    independent: present !== undefined,
  };
}
