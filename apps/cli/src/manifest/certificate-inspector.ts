import { createPrivateKey, X509Certificate } from 'node:crypto';
import {
  type CertificateInspector,
  type CertificateReport,
  certificatesIn,
  detectForm,
  type ManifestForm,
  uncheckedConcern,
} from '@sallyport/manifest';
import {
  CaBundleError,
  describeCertificate,
  findWeaknesses,
  VerificationError,
  verifyClientCertificate,
} from '@sallyport/trust';
import { readLocalText } from '../cert/local-files.ts';
import { usageError } from '../errors.ts';

/** The gateway's verdict does not depend on the endpoint's name; a handshake needs one. */
const ANY_ENDPOINT = 'endpoint.agent.invalid';

export interface Pair {
  readonly certificate: string;
  readonly key: string | undefined;
}

/** A CA bundle and where it comes from, for messages. */
export interface EndpointBundle {
  readonly from: string;
  readonly pem: string;
}

/** The bundle of --ca, or else the one that the control plane has. */
export async function endpointBundle(
  caFile: string | undefined,
  endpoint: { readonly url: string; readonly caCertificates: string } | null | undefined,
): Promise<EndpointBundle | undefined> {
  if (caFile !== undefined) return { from: caFile, pem: await readLocalText(caFile) };
  return endpoint ? { from: `The CA bundle of ${endpoint.url}`, pem: endpoint.caCertificates } : undefined;
}

export interface InspectorOptions {
  /** Every pair that the library may ask about: the verdict takes a handshake, and the library does not wait. */
  readonly pairs: readonly Pair[];
  /** The endpoint's CA bundle; without it the certificate is only measured against itself. */
  readonly bundle: EndpointBundle | undefined;
  readonly now: Date;
}

/** Reads client certificates for the manifest library, and asks the gateway's own handshake where the CA bundle is known. */
export async function prepareInspector({ pairs, bundle, now }: InspectorOptions): Promise<CertificateInspector> {
  const verdicts = bundle === undefined ? undefined : await verdictsOn(pairs, bundle, now);
  return {
    inspect(pair) {
      const report = readPair(pair, now);
      if (report.unreadable !== undefined || report.keyMatches !== true) return report;
      if (verdicts === undefined) return { ...report, unchecked: true };
      const name = nameOf(pair);
      // A pair that nobody prepared has no verdict, and no verdict is not a good one.
      const verdict = verdicts.has(name) ? verdicts.get(name) : 'no handshake was made with it.';
      return verdict === undefined ? report : { ...report, refusal: verdict };
    },
  };
}

/** What is worth saying about the pair that was given, that nothing could check it included. */
export function concernsOf(inspector: CertificateInspector, pair: Pair | undefined) {
  if (pair === undefined) return [];
  const { concerns = [], unchecked } = inspector.inspect(pair);
  return [
    ...concerns.map(({ message, remedy }) => ({ code: 'CERTIFICATE_CONCERN', message, remedy })),
    ...(unchecked ? [uncheckedConcern] : []),
  ];
}

/** The pairs inside a Kubernetes file's Secrets; none in other forms. @throws ManifestError FORM_UNKNOWN. */
export function pairsIn(text: string, form: ManifestForm = detectForm(text)): Pair[] {
  if (form !== 'kubernetes') return [];
  return certificatesIn(text).map(({ certificatePem, keyPem }) => ({ certificate: certificatePem, key: keyPem }));
}

async function verdictsOn(pairs: readonly Pair[], bundle: EndpointBundle, now: Date) {
  const verdicts = new Map<string, string | undefined>();
  for (const pair of pairs) {
    if (pair.key !== undefined) verdicts.set(nameOf(pair), await refusalOf(pair, bundle, now));
  }
  return verdicts;
}

/** Why the gateway would refuse the pair; undefined when it would not. */
async function refusalOf(
  { certificate, key }: Pair,
  { from, pem: bundlePem }: EndpointBundle,
  now: Date,
): Promise<string | undefined> {
  try {
    const { verdict } = await verifyClientCertificate({
      bundlePem,
      certificatePem: certificate,
      keyPem: key ?? null,
      fqdn: ANY_ENDPOINT,
      now,
    });
    return verdict.admitted ? undefined : `${verdict.message} ${verdict.remedy}`;
  } catch (error) {
    if (error instanceof CaBundleError)
      throw usageError(`${from}: ${error.message}`, 'Name the CA bundle of the endpoint with --ca.', error.problem);
    if (error instanceof VerificationError) return error.message;
    throw error;
  }
}

function readPair({ certificate, key }: Pair, now: Date): CertificateReport {
  let leaf: X509Certificate;
  try {
    leaf = new X509Certificate(certificate);
  } catch {
    // OpenSSL's words (an offset, a routine) help nobody.
    return { unreadable: 'OpenSSL finds no whole certificate in it; use the unchanged file.' };
  }
  const weaknesses = findWeaknesses(describeCertificate(leaf), now);
  const fatal = weaknesses.find((weakness) => weakness.fatal);
  const concerns = weaknesses
    .filter((weakness) => !weakness.fatal)
    .map(({ message, remedy }) => ({ severity: 'warning' as const, message, remedy }));
  const facts: CertificateReport = {
    concerns,
    ...(fatal !== undefined && { refusal: `${fatal.message} ${fatal.remedy}` }),
  };
  if (key === undefined) return facts;
  try {
    return { ...facts, keyMatches: leaf.checkPrivateKey(createPrivateKey(key)) };
  } catch {
    // OpenSSL's message may quote the key.
    return { unreadable: 'the private key is damaged or encrypted; use the unchanged file, without a passphrase.' };
  }
}

/** The library and the file may differ in line ends and in the blank lines around. */
function nameOf({ certificate, key }: Pair): string {
  return [certificate, key ?? ''].map((pem) => pem.replace(/\r\n?/g, '\n').trim()).join('\n\n');
}
