import type { Rule } from '../check.ts';
import { fail, notApplicable, pass, skippedBecause, warn } from '../check.ts';
import { octal } from '../files/machine-files.ts';
import type { Seen } from '../seen.ts';
import type { Problem } from '../setup.ts';

const NO_MTLS = 'No client certificate is configured: this delegate connects without mTLS.';

/** What the environment and the files themselves tell, before anything is sent. */
export const SET_UP_RULES: readonly Rule<Seen>[] = [
  { id: 'manifest', needs: [], judge: judgeManifest },
  { id: 'environment', needs: [], judge: judgeEnvironment },
  { id: 'token-form', needs: [], judge: judgeToken },
  { id: 'ca-file', needs: [], judge: judgeCaFile },
  { id: 'file-access', needs: [], judge: judgeAccess },
  { id: 'file-mode', needs: ['file-access'], judge: judgeMode },
  { id: 'file-rotation', needs: ['file-access'], judge: judgeRotation },
];

function judgeManifest({ manifest }: Seen) {
  if (manifest === null) return notApplicable('The environment was not taken from a manifest.');
  const remedy = 'Run "sallyport manifest check FILE"; with --fix it mends what it can.';
  const errors = manifest.filter(({ severity }) => severity === 'error');
  const warnings = manifest.filter(({ severity }) => severity === 'warning');
  const [first] = [...errors, ...warnings];
  if (first === undefined) return pass('The manifest has no mistakes that can be told from it.');
  const others = errors.length + warnings.length - 1;
  const evidence = `Line ${first.line}: ${first.message}${others > 0 ? ` And ${others} more.` : ''}`;
  // A mistake of the manifest need not keep this delegate from connecting: the checks below tell.
  return warn(evidence, errors.length > 0 ? `${first.remedy} ${remedy}` : remedy);
}

function judgeEnvironment({ setup, words }: Seen) {
  if (setup.problems.length > 0) return failOf(setup.problems);
  const { manager } = setup;
  // A path may be right (a load balancer may serve everything below one): only the answer tells.
  if (manager !== null && manager.basePath !== '' && words?.code === 'RESOURCE_NOT_FOUND') {
    const what = `MANAGER_HOST_AND_PORT holds the path ${manager.basePath}, and the manager serves nothing there (404).`;
    return fail(what, `Set it to scheme, host and port alone: ${new URL(manager.url).origin}.`);
  }
  const [first] = setup.warnings;
  if (first !== undefined) return warn(sentences(setup.warnings), first.remedy);
  const way = setup.clientCertificate === null ? 'without mTLS' : 'with a client certificate';
  return pass(`ACCOUNT_ID ${setup.accountId}, delegate ${setup.name}, to ${setup.manager?.url} ${way}.`);
}

function judgeToken({ setup: { token } }: Seen) {
  if (!token.usable) return fail(token.problem, token.remedy);
  const form = token.form === 'hex' ? '32 hex characters' : 'base64 of 32 hex characters';
  return pass(`${token.variable}: ${form}.`);
}

function judgeCaFile({ setup, caProblem }: Seen) {
  if (setup.problems.some(({ what }) => what.startsWith('SALLYPORT_EXTRA_CA_FILE')))
    return skippedBecause('environment');
  if (setup.extraCaFile === null)
    return notApplicable('SALLYPORT_EXTRA_CA_FILE is not set: the usual CAs are trusted.');
  if (caProblem !== null) return fail(caProblem.what, caProblem.remedy);
  return pass(`${setup.extraCaFile} can be used.`);
}

function judgeAccess({ setup, certificate, key, filePlace }: Seen) {
  const { clientCertificate } = setup;
  if (clientCertificate === null) {
    const halfSet = setup.problems.some(({ what }) => what.startsWith('DELEGATE_CLIENT_CERTIFICATE'));
    return halfSet ? skippedBecause('environment') : notApplicable(NO_MTLS);
  }
  const { certificatePath, keyPath } = clientCertificate;
  const [first, second] = [certificate?.problem, key?.problem].filter((problem) => problem != null);
  if (first !== undefined) {
    const same = second !== undefined && second.what.replaceAll(keyPath, certificatePath) === first.what;
    return failOf(second === undefined ? [first] : [first, same ? { ...second, what: `So with ${keyPath}.` } : second]);
  }
  return pass(`${certificatePath} and ${keyPath} can be read (${filePlace}).`);
}

function judgeMode({ setup, key }: Seen) {
  if (setup.clientCertificate === null) return notApplicable(NO_MTLS);
  if (key?.mode == null) return notApplicable('A manifest does not tell the rights of the mounted file.');
  const mode = octal(key.mode);
  // Kubernetes reads `defaultMode: 400` as a decimal number.
  if ((key.mode & 0o777) === 0o620) {
    const remedy = 'Write defaultMode: 0400 (or 256), with fsGroup 0440.';
    return warn(`${key.path} has mode ${mode}: that is decimal 400, and it lets the group write.`, remedy);
  }
  if ((key.mode & 0o007) !== 0) {
    const what = `${key.path} has mode ${mode}: every user of this machine can read the private key.`;
    return warn(what, 'Run chmod 600 on it, or in Kubernetes set defaultMode: 0440 with fsGroup.');
  }
  return pass(`${key.path} has mode ${mode}.`);
}

function judgeRotation({ setup, certificate, key }: Seen) {
  if (setup.clientCertificate === null || certificate === null || key === null) return notApplicable(NO_MTLS);
  const mounted = [certificate, key].filter(({ isMountPoint }) => isMountPoint);
  if (mounted.length > 0) {
    const what = `${mounted.map(({ path }) => path).join(' and ')}: mounted one by one (subPath), so a renewed certificate never arrives.`;
    return warn(what, 'Mount the whole Secret or folder at /etc/mtls, without subPath.');
  }
  const swapped = (links: readonly string[]) => links[0]?.startsWith('..data/') === true;
  if (swapped(certificate.links) !== swapped(key.links)) {
    const what = 'Of certificate and key only one lies in a mounted Secret: a rotation would replace only one of them.';
    return warn(what, 'Put both into one Secret and mount it as a whole.');
  }
  if (swapped(certificate.links)) return pass('A mounted Secret: both are swapped in one step when it changes.');
  return pass('Replace both files to rotate; the delegate picks them up without a restart.');
}

function failOf(problems: readonly Problem[]) {
  return fail(sentences(problems), problems[0]?.remedy ?? '');
}

const sentences = (problems: readonly Problem[]): string => problems.map(({ what }) => what).join(' ');
