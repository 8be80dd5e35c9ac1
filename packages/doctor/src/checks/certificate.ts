import type { CertificateFacts } from '@sallyport/trust';
import type { Outcome, Rule } from '../check.ts';
import { fail, notApplicable, pass, warn } from '../check.ts';
import { isAdmission } from '../manager-words.ts';
import type { Seen } from '../seen.ts';
import { duration, moment, quoted } from '../wording.ts';

/** The client certificate by itself, and by the clock that counts: the manager's. */
export const CERTIFICATE_RULES: readonly Rule<Seen>[] = [
  { id: 'pair', needs: ['file-access'], judge: mtlsOnly(judgePair) },
  { id: 'chain', needs: ['file-access', 'pair'], judge: mtlsOnly(judgeChain) },
  { id: 'purpose', needs: ['file-access', 'pair'], judge: mtlsOnly(judgePurpose) },
  { id: 'clock', needs: [], judge: judgeClock },
  { id: 'validity', needs: ['file-access', 'pair'], judge: mtlsOnly(judgeValidity) },
];

const ISSUE = 'Issue a new client certificate ("sallyport cert client" or "cert renew") and replace both files.';
/** Their own checks: dates here, and what only a person can weigh. */
const DATES = new Set(['EXPIRED', 'NOT_YET_VALID', 'EXPIRES_SOON', 'LONG_VALIDITY']);
const SKEW_NOTED_MS = 120_000;
/** A delegate uses its JWE until ten minutes before it expires: behind by more, the manager sees expired ones. */
const SKEW_BREAKS_MS = 600_000;

function mtlsOnly(judge: (seen: Seen, leaf: CertificateFacts | null) => Outcome): (seen: Seen) => Outcome {
  return (seen) =>
    seen.setup.clientCertificate === null
      ? notApplicable('No client certificate is configured.')
      : judge(seen, seen.pair?.leaf ?? null);
}

function judgePair({ pair, key }: Seen, leaf: CertificateFacts | null): Outcome {
  const problem = pair?.pairProblem ?? null;
  if (problem !== null) return fail(problem.what, problem.remedy);
  if (key?.text?.includes('-----BEGIN RSA PRIVATE KEY-----')) {
    const what = `The key in ${key.path} is PKCS#1 ("BEGIN RSA PRIVATE KEY"), which the Java delegate cannot read; others can.`;
    return warn(what, `Write it as PKCS#8: openssl pkcs8 -topk8 -nocrypt -in ${key.path} -out client.key`);
  }
  return pass(`The key belongs to ${quoted(leaf?.subject)}.`);
}

function judgeChain({ pair, words }: Seen, leaf: CertificateFacts | null): Outcome {
  const problem = pair?.orderProblem ?? null;
  if (problem !== null) return fail(problem.what, problem.remedy);
  if (words?.code === 'INTERMEDIATE_MISSING') return fail(`The manager says: ${words.message}`, words.remedy);
  const certificates = pair?.certificates ?? [];
  const strays = certificates.slice(1).filter((each, index) => !issued(each, certificates.slice(0, index + 1)));
  if (strays.length > 0) {
    const names = strays.map(({ subject }) => quoted(subject)).join(', ');
    const what = `Besides its chain the certificate file holds ${names}, which issued nothing before it.`;
    return warn(what, 'Put the chain in order: "sallyport cert chain FILE --out client.crt" does it.');
  }
  const above = certificates.length === 1 ? 'no intermediate' : `${certificates.length - 1} above it, in order`;
  return pass(`${quoted(leaf?.subject)} issued by ${quoted(leaf?.issuer)}; ${above}.`);
}

function issued(issuer: CertificateFacts, before: readonly CertificateFacts[]): boolean {
  return before.some((each) => each.issuer === issuer.subject);
}

function judgePurpose({ pair, words }: Seen, leaf: CertificateFacts | null): Outcome {
  const weaknesses = (pair?.weaknesses ?? []).filter(({ code }) => !DATES.has(code));
  const fatal = weaknesses.find((weakness) => weakness.fatal);
  const caAsLeaf = words?.code === 'CA_AS_LEAF' || (leaf?.isCa === true && leaf.version !== 1);
  const admitted = words !== null && isAdmission(words.code);
  if (caAsLeaf && !admitted) {
    const what = `${quoted(leaf?.subject)} is a CA certificate, not a client's.`;
    return fail(what, 'Issue a client certificate with it, and take the key of the CA off this machine.');
  }
  if (words?.code === 'WRONG_PURPOSE') return fail(`The manager says: ${words.message}`, words.remedy);
  // The manager's verdict is the one that counts: what it admits is at most weak.
  if (fatal !== undefined) return admitted ? warn(fatal.message, fatal.remedy) : fail(fatal.message, fatal.remedy);
  const kind = leaf?.purposes === null ? 'without a stated purpose, so for every purpose' : 'for TLS clients';
  const weak = weaknesses.map(({ code }) => code).join(', ');
  const note = weak === '' ? '' : ` Worth mending when it is renewed (sallyport cert inspect): ${weak}.`;
  return pass(`${leaf?.keyAlgorithm}, ${kind}.${note}`);
}

function judgeClock({ skewMs, server, now, words }: Seen): Outcome {
  if (skewMs === null) return notApplicable('No answer of the manager to compare this clock with.');
  const off = Math.abs(skewMs);
  const here = `${duration(skewMs)} ${skewMs > 0 ? 'behind' : 'ahead of'} the manager's`;
  const remedy = 'Set the clock of this machine by NTP; in a virtual machine look at the host.';
  if (off < SKEW_NOTED_MS)
    return pass(`This clock and the manager's differ by ${off < 1000 ? 'less than 1 s' : duration(skewMs)}.`);
  const moments = `it is ${moment(now)} here and ${moment(now + skewMs)} there`;
  const dates = server?.error === 'CERT_HAS_EXPIRED' || server?.error === 'CERT_NOT_YET_VALID';
  const validThere = server?.chain.every(({ notBefore, notAfter }) => within(now + skewMs, notBefore, notAfter));
  if (dates && validThere) {
    return fail(`This clock is ${here} (${moments}), so the manager's certificate looks out of date.`, remedy);
  }
  if (skewMs > SKEW_BREAKS_MS || words?.code === 'EXPIRED_TOKEN') {
    return fail(`This clock is ${here} (${moments}), so the manager takes this delegate's tokens for expired.`, remedy);
  }
  return warn(`This clock is ${here} (${moments}).`, remedy);
}

function within(now: number, notBefore: Date, notAfter: Date): boolean {
  return now >= notBefore.getTime() && now <= notAfter.getTime();
}

function judgeValidity({ skewMs, now, words }: Seen, leaf: CertificateFacts | null): Outcome {
  if (leaf === null) return notApplicable('There is no certificate to look at.');
  const there = now + (skewMs ?? 0);
  const clock = skewMs === null ? 'by the clock of this machine' : "by the manager's clock";
  const who = quoted(leaf.subject);
  const left = leaf.notAfter.getTime() - there;
  const said = words?.code?.startsWith('CLIENT_CERTIFICATE_') ? ` The manager says: ${words.message}` : '';
  if (left <= 0)
    return fail(`${who} expired ${duration(left)} ago ${clock}, at ${moment(leaf.notAfter.getTime())}.${said}`, ISSUE);
  const early = leaf.notBefore.getTime() - there;
  if (early > 0) {
    const what = `${who} becomes valid only in ${duration(early)} ${clock}, at ${moment(leaf.notBefore.getTime())}.${said}`;
    return fail(what, 'Set the clocks of the machine that issued it and of the manager by NTP, or wait.');
  }
  const life = leaf.notAfter.getTime() - leaf.notBefore.getTime();
  const evidence = `${who} is valid for ${duration(left)} more, until ${moment(leaf.notAfter.getTime())}.`;
  // A short-lived certificate is renewed at two thirds of its life; with a tenth left nobody has renewed it.
  return left < Math.min(14 * 86_400_000, life / 10) ? warn(evidence, ISSUE) : pass(evidence);
}
