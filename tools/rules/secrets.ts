import { matchesOf, type SourceFile, type Violation } from './source-file.ts';

const WHY =
  'This looks like a secret. What is committed once is public for good, in every clone: make keys and tokens when a test ' +
  'runs, read them from a file or the environment otherwise, and revoke this one if it was ever real.';

const SECRETS: readonly RegExp[] = [
  // A private key in PEM: the label alone is no secret, the base64 under it is.
  /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(?:\s|\\[rn])+[A-Za-z0-9+/]{40,}/g,
  // API keys of ours: sat.<uuid>.<secret>, pat.<account>.<uuid>.<secret>
  /\b(?:sat|pat)(?:\.[\w-]+){1,2}\.[\w-]{32,}/g,
  // Settings that hold a secret, with a value that is one
  /\b(?:SALLYPORT_MASTER_KEY|DELEGATE_TOKEN|UPGRADER_TOKEN)\b["']?\s*[:=]\s*["']?(?:[0-9a-f]{32,}|[A-Za-z0-9+/]{43}=)/gi,
  // JWS and JWE, compact
  /\beyJ[\w-]{10,}\.[\w-]*\.[\w-]{10,}(?:\.[\w-]+)*/g,
  // Keys of services that are often pasted: AWS, GitHub, npm, Slack, Google
  /\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_\w{30,}|\bnpm_[A-Za-z0-9]{30,}|\bxox[abprs]-[\w-]{10,}|\bAIza[\w-]{30,}/g,
];

/** Values that everybody may know: the key 00112233... and its base64, and a token under it whose IV counts from 0. */
const EXAMPLES = [
  '00112233445566778899aabbccddeeff',
  'MDAxMTIyMzM0NDU1NjY3Nzg4OTlhYWJiY2NkZGVlZmY=',
  '..AAECAwQFBgcICQoL',
];

/** Finds private keys and tokens. What it finds is not repeated: a CI log is public too. */
export function* secrets(files: readonly SourceFile[]): Generator<Violation, void, undefined> {
  for (const file of files) {
    for (const pattern of SECRETS) {
      for (const violation of matchesOf(file, file.text, pattern, WHY)) {
        const { found } = violation;
        if (EXAMPLES.some((example) => found.includes(example))) continue;
        yield { ...violation, found: `${found.slice(0, 10)}... (${found.length} characters)` };
      }
    }
  }
}
